"""The tensor contract: encodes arguments to request tensors and decodes responses to predictions.

The server states the same names in `genderprep.tensors`; a test compares them.
"""

import math
from typing import TYPE_CHECKING, Any, Final

from genderclient._exceptions import InvalidNickname, ProtocolError
from genderclient._models import Prediction, Probabilities, Weights
from genderclient._transports.base import InferenceResponse
from genderclient._transports.tensors import BytesTensor, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

AVATAR: Final = "AVATAR"
NICKNAME: Final = "NICKNAME"

PROBABILITIES: Final = "PROBABILITIES"
WEIGHTS: Final = "WEIGHTS"
EMBEDDING: Final = "EMBEDDING"

LABELS: Final = ("male", "female")
MODALITIES: Final = ("avatar", "nickname")
EMBEDDING_SIZE: Final = 256


def encode(*, avatar: bytes, nickname: str | None) -> tuple[Tensor, ...]:
    """Returns the inputs for one user. A missing input is empty.

    Requests always ask for all outputs: Triton's response cache returns the outputs of the first request to later
    ones.
    """
    return BytesTensor(AVATAR, avatar), BytesTensor(NICKNAME, encode_nickname(nickname))


def encode_nickname(nickname: str | None) -> bytes:
    """Returns the nickname in UTF-8, empty for None."""
    if nickname is None:
        return b""
    if not isinstance(nickname, str):
        raise TypeError(f"nickname: got {type(nickname).__name__}, expected str or None")
    try:
        return nickname.encode()
    except UnicodeEncodeError as exc:
        message = f"nickname: lone surrogate at index {exc.start}; decode the text as UTF-8 or UTF-16 at its source"
        # The original error holds the nickname.
        raise InvalidNickname(message) from None


def decode(response: InferenceResponse, *, unknown_below: float, embedding: bool) -> Prediction:
    """Returns the prediction in a response. Raises ProtocolError if an output violates the contract."""
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
    """Returns the `size` finite numbers of output `name`."""
    array = _output(response, name)
    if array.shape != (1, size) or array.dtype.kind not in "fiu":
        problem = f"output {name} is {array.dtype} of shape {array.shape}, expected numbers of shape {(1, size)}"
        raise ProtocolError(f"{problem}; use a client and a model of the same release", model=response.model)
    values = tuple(array[0].astype("float32").tolist())
    if not all(map(math.isfinite, values)):
        raise ProtocolError(f"output {name} is not finite; check the model", model=response.model)
    return values


def _output(response: InferenceResponse, name: str) -> "NDArray[Any]":
    for tensor in response.outputs:
        if tensor.name == name:
            return tensor.array
    problem = f"output {name} is missing, got {[tensor.name for tensor in response.outputs]}"
    raise ProtocolError(f"{problem}; is {response.model} a gender model?", model=response.model)
