"""A stand-in for the ensembles, on Triton's Python backend: the contract's tensors, and failures on demand.

It predicts male, weights the inputs that are present, and returns the sizes of both inputs in the embedding. The
avatar `not an image` is rejected; the nicknames `reject`, `sleep` and `fail` do what they say.
"""

import time
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests: list[Any]) -> list[Any]:
        return [_respond(_bytes(request, "AVATAR"), _bytes(request, "NICKNAME")) for request in requests]


def _bytes(request: Any, name: str) -> bytes:
    tensor = pb_utils.get_input_tensor_by_name(request, name).as_numpy()
    assert tensor.shape == (1, 1)
    value: bytes = tensor[0, 0]
    return value


def _respond(avatar: bytes, nickname: bytes) -> Any:
    if avatar == b"not an image":
        return _error("AVATAR: not an image", pb_utils.TritonError.INVALID_ARG)
    if nickname == b"reject":
        return _error("NICKNAME: too long", pb_utils.TritonError.INVALID_ARG)
    if nickname == b"fail":
        return _error("the model broke", pb_utils.TritonError.INTERNAL)
    if nickname == b"sleep":
        time.sleep(1)
    return pb_utils.InferenceResponse(_tensors(len(avatar), len(nickname)))


def _error(message: str, code: int) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))


def _tensors(avatar_bytes: int, nickname_bytes: int) -> list[Any]:
    outputs = {
        "PROBABILITIES": [0.75, 0.25],
        "WEIGHTS": np.array([avatar_bytes > 0, nickname_bytes > 0]) / max((avatar_bytes > 0) + (nickname_bytes > 0), 1),
        "EMBEDDING": [avatar_bytes, nickname_bytes] + [0] * 254,
    }
    return [pb_utils.Tensor(name, np.array([values], np.float32)) for name, values in outputs.items()]
