"""What every peer runs: the preprocessing and the network that Triton serves, in one process, one after the other."""

import os
from base64 import b64decode
from typing import Final

import numpy as np
import onnxruntime

from genderprep import prepare_image, prepare_text
from genderprep.tensors import IMAGE, LABELS, PRESENT, PROBABILITIES, TOKENS

# The variable that names the ONNX file to serve.
MODEL: Final = "PEER_MODEL"
# As many as Triton has instances of each model.
WORKERS: Final = 2


class Predictor:
    """The network on one thread, as Triton serves it."""

    def __init__(self, file: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    @classmethod
    def from_environment(cls) -> "Predictor":
        """The one whose ONNX file is named in the environment."""
        return cls(os.environ[MODEL])

    def predict(self, avatar: bytes, nickname: str) -> dict[str, float]:
        """The probability of each label."""
        image, has_avatar = prepare_image(avatar)
        tokens, has_nickname = prepare_text(nickname.encode())
        feed = {IMAGE: image[None], TOKENS: tokens[None], PRESENT: np.array([[has_avatar, has_nickname]])}
        (rows,) = self._session.run([PROBABILITIES], feed)
        return dict(zip(LABELS, rows[0].tolist(), strict=True))

    def predict_base64(self, avatar: str, nickname: str) -> dict[str, float]:
        """The same for an avatar as JSON carries it."""
        return self.predict(b64decode(avatar), nickname)
