"""Vectors of pictures, from a model that is served."""

from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from genderprep.tensors import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS

from ..arrays import FloatsND, ImagesNSS3

_BATCH: Final = 64


def embed(model: Path, pictures: ImagesNSS3, output: str = "VECTOR") -> FloatsND:
    """Return the vectors `[N, D]` of pictures uint8 `[N, S, S, 3]`, where S divides the model's side.

    The encoder averages blocks of pixels, so that repeated pixels are what was averaged.

    Args:
        model: ONNX file of `picture_encoder`, or of a backbone such as `mobilenet`.
        pictures: Pictures without titles or nicknames.
        output: The model's output: `VECTOR` of the encoder, `EMBEDDING` of a backbone.
    """
    session = onnxruntime.InferenceSession(model)
    repeats = IMAGE_SIZE // pictures.shape[1]
    parts = range(_BATCH, len(pictures), _BATCH)
    return np.concatenate([_embed(session, part, repeats, output) for part in np.split(pictures, parts)])


def _embed(session: onnxruntime.InferenceSession, pictures: ImagesNSS3, repeats: int, output: str) -> FloatsND:
    count = len(pictures)
    inputs = {
        IMAGE: pictures.repeat(repeats, axis=1).repeat(repeats, axis=2),
        TOKENS: np.zeros((count, MAX_TOKENS), np.int32),
        PRESENT: np.tile([True, False], (count, 1)),
    }
    vectors: FloatsND = session.run([output], inputs)[0]
    return vectors
