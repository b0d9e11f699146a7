"""The tensor contract on the client's side: arguments to request tensors, response tensors to a prediction.

`genderprep.tensors` states the same names and limits for the server; the client installs without it.
"""

import math
import uuid
from collections.abc import Mapping
from typing import Final

from genderclient._exceptions import InvalidNickname, ProtocolError
from genderclient._models import Prediction, Probabilities, Weights
from genderclient._transports.base import BytesTensor, FloatTensor, InferenceRequest, InferenceResponse

AVATAR: Final = "AVATAR"
NICKNAME: Final = "NICKNAME"

PROBABILITIES: Final = "PROBABILITIES"
WEIGHTS: Final = "WEIGHTS"
EMBEDDING: Final = "EMBEDDING"

LABELS: Final = ("male", "female")
MODALITIES: Final = ("avatar", "nickname")
EMBEDDING_SIZE: Final = 256


def encode(
    *,
    avatar: bytes,
    nickname: str | None,
    model: str,
    timeout_s: float,
    headers: Mapping[str, str],
) -> InferenceRequest:
    """The request for one user; an empty tensor stands for what is missing.

    It asks for every output: Triton's cache answers whoever comes later with those that the first one asked for.
    """
    return InferenceRequest(
        model=model,
        inputs=(BytesTensor(AVATAR, avatar), BytesTensor(NICKNAME, encode_nickname(nickname))),
        timeout_s=timeout_s,
        request_id=uuid.uuid4().hex,
        headers=headers,
    )


def encode_nickname(nickname: str | None) -> bytes:
    """UTF-8 of the nickname, empty without one.

    Raises TypeError when it is no str, InvalidNickname when it holds half of a surrogate pair.
    """
    if nickname is None:
        return b""
    if not isinstance(nickname, str):
        raise TypeError(f"nickname: got {type(nickname).__name__}, expected str or None")
    try:
        return nickname.encode()
    except UnicodeEncodeError as exc:
        message = f"nickname: lone surrogate at index {exc.start}; decode the text with UTF-8 (or UTF-16) at its source"
        raise InvalidNickname(message) from exc


def decode(response: InferenceResponse, *, unknown_below: float, embedding: bool) -> Prediction:
    """The prediction in `response`. Raises ProtocolError when a tensor is missing or does not fit the contract."""
    probabilities = Probabilities(*_values(response, PROBABILITIES, len(LABELS)))
    if not math.isclose(probabilities.male + probabilities.female, 1, abs_tol=1e-3):
        raise ProtocolError(f"output {PROBABILITIES} does not sum to 1; check the model", model=response.model)
    return Prediction(
        probabilities=probabilities,
        weights=Weights(*_values(response, WEIGHTS, len(MODALITIES))),
        model=response.model,
        version=response.version,
        unknown_below=unknown_below,
        embedding=_values(response, EMBEDDING, EMBEDDING_SIZE) if embedding else None,
    )


def _values(response: InferenceResponse, name: str, size: int) -> tuple[float, ...]:
    """The `size` finite numbers of output `name`."""
    tensor = _output(response, name)
    if tensor.shape != (1, size):
        problem = f"output {name} has shape {tensor.shape}, expected {(1, size)}"
        raise ProtocolError(f"{problem}; use a client and a model of the same release", model=response.model)
    if not all(map(math.isfinite, tensor.values)):
        raise ProtocolError(f"output {name} is not finite; check the model", model=response.model)
    return tensor.values


def _output(response: InferenceResponse, name: str) -> FloatTensor:
    for tensor in response.outputs:
        if tensor.name == name:
            return tensor
    problem = f"output {name} is missing, got {[tensor.name for tensor in response.outputs]}"
    raise ProtocolError(f"{problem}; is {response.model} a gender model?", model=response.model)
