"""One answer without a server: the preprocessing and the network that Triton serves, one user after the other.

The peers run this, each in an environment of its own, so it imports nothing of this project but `genderprep`.
"""

import os
from base64 import b64decode
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from genderprep import prepare_image, prepare_text
from genderprep.tensors import IMAGE, LABELS, PRESENT, PROBABILITIES, TOKENS

# The environment variable with the ONNX file that a peer serves.
MODEL: Final = "PEER_MODEL"
# As many as Triton has instances of each model.
WORKERS: Final = 2

# The tensors of one user by name, with a batch axis of 1: image [1, H, W, 3], tokens [1, T], present [1, 2].
Tensors = dict[str, NDArray[Any]]


def preprocess(avatar: bytes, nickname: str) -> Tensors:
    """Return the outputs of the `preprocess` model for one user."""
    image, has_avatar = prepare_image(avatar)
    tokens, has_nickname = prepare_text(nickname.encode())
    return {IMAGE: image[None], TOKENS: tokens[None], PRESENT: np.array([[has_avatar, has_nickname]])}


def open_network(file: str) -> onnxruntime.InferenceSession:
    """Load an ONNX file into ONNX Runtime, on one thread as Triton serves it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


class Predictor:
    """Preprocessing and network in one process."""

    def __init__(self, file: str) -> None:
        self._network = open_network(file)

    @classmethod
    def from_environment(cls) -> "Predictor":
        """Load the ONNX file that the environment names."""
        return cls(os.environ[MODEL])

    def predict(self, avatar: bytes, nickname: str) -> dict[str, float]:
        """Return the probability of each label."""
        (rows,) = self._network.run([PROBABILITIES], preprocess(avatar, nickname))
        return dict(zip(LABELS, rows[0].tolist(), strict=True))

    def predict_base64(self, avatar: str, nickname: str) -> dict[str, float]:
        """Return the same for an avatar as JSON carries it."""
        return self.predict(b64decode(avatar), nickname)
