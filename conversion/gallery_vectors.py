"""Embed pictures with a published version of the picture encoder."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

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


class Prepared(NamedTuple):
    """A picture at a row of its manifest, and its pixels."""

    row: int
    picture: Picture
    pixels: ImageSS3


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

    def embed(self, rows: Iterable[Prepared]) -> Iterator[tuple[list[Picture], FloatsND]]:
        """Yield batches of pictures with their vectors."""
        for batch in batches(rows):
            # Without their files, which would fill the memory.
            yield (
                [replace(each.picture, encoded=b"") for each in batch],
                self._vectors(np.stack([each.pixels for each in batch])),
            )

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


def batches(rows: Iterable[Prepared]) -> Iterator[list[Prepared]]:
    """Yield up to `_BATCH` pictures at a time."""
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def prepared(pictures: Iterable[Picture], refused: dict[int, str]) -> Iterator[Prepared]:
    """Yield the pictures that can be read; add the others to `refused`, by row, with the reason."""
    for row, picture in enumerate(pictures):
        try:
            pixels, present = prepare_image(picture.encoded)
            prepare_text(picture.title.encode())
        except InvalidInput as exc:
            refused[row] = str(exc)
            continue
        if present:
            yield Prepared(row, picture, pixels)
        elif picture.encoded or not picture.file:
            refused[row] = "no picture: empty, or plain gray or white"
        else:
            refused[row] = "no picture: the file is missing, empty or cannot be read"
