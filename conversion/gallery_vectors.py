"""Embed pictures with a published version of the picture encoder."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from genderprep import InvalidInput, PrepMismatch, check_probes, prep_digest, prepare_image, prepare_text
from genderprep.digest import METADATA_KEY
from genderprep.tensors import IMAGE, PRESENT, TOKENS
from picturegallery.errors import GalleryError
from picturegallery.files import ENCODER_DIGEST
from picturegallery.tensors import VECTOR
from training.arrays import FloatsND, ImagesNSS3, ImageSS3

from .export import read_metadata
from .gallery_pictures import Picture

_BATCH: Final = 32


class Encoder:
    """A version of the picture encoder.

    Args:
        file: Its ONNX file.

    Raises:
        FileNotFoundError: The file does not exist.
        GalleryError: The file states no digest.
        PrepMismatch: The encoder was trained with another preprocessing, or this machine decodes pictures differently.
    """

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise FileNotFoundError(f"{file} does not exist; publish it with conversion.publish_encoder")
        check_probes()
        metadata = read_metadata(file)
        if not metadata.get(ENCODER_DIGEST):
            raise GalleryError(f"{file} states no {ENCODER_DIGEST}; publish it with conversion.publish_encoder")
        if metadata.get(METADATA_KEY) != prep_digest():
            raise PrepMismatch(f"{file} belongs to another preprocessing; train and publish the encoder again")
        self.file = file
        self.digest = metadata[ENCODER_DIGEST]

    def embed(self, pictures: Iterable[Picture], refused: dict[int, str]) -> Iterator[tuple[list[Picture], FloatsND]]:
        """Yield batches of pictures with their vectors; add the others to `refused`, by row, with the reason."""
        rows = _prepared(pictures, refused)
        while batch := list(islice(rows, _BATCH)):
            yield [picture for picture, _ in batch], self._vectors(np.stack([pixels for _, pixels in batch]))

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        return onnxruntime.InferenceSession(str(self.file), providers=["CPUExecutionProvider"])

    def _vectors(self, pixels: ImagesNSS3) -> FloatsND:
        """Return the vectors of pictures without titles, float32 `[B, D]`."""
        tokens, _ = prepare_text(b"")
        inputs = {
            IMAGE: pixels,
            TOKENS: np.repeat(tokens[None], len(pixels), axis=0),
            PRESENT: np.repeat([[True, False]], len(pixels), axis=0),
        }
        (vectors,) = self._session.run([VECTOR], inputs)
        return np.asarray(vectors)


def _prepared(pictures: Iterable[Picture], refused: dict[int, Any]) -> Iterator[tuple[Picture, ImageSS3]]:
    for row, picture in enumerate(pictures):
        try:
            pixels, present = prepare_image(picture.encoded)
            prepare_text(picture.title.encode())
        except InvalidInput as exc:
            refused[row] = str(exc)
            continue
        if present:
            yield picture, pixels
        else:
            refused[row] = "no picture: empty, or plain gray or white"
