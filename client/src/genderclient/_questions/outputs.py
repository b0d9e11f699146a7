"""Reads the outputs of a response. A violation of the contract raises ProtocolError."""

import math
from typing import TYPE_CHECKING, Any

from genderclient._exceptions import ProtocolError
from genderclient._transports.base import InferenceResponse

if TYPE_CHECKING:
    from numpy.typing import NDArray


def numbers(response: InferenceResponse, name: str, size: int | None = None) -> tuple[float, ...]:
    """Returns the finite numbers of output `name` [1, size]. Without a size, any number of them."""
    array = _row(response, name, size, "fiu", "numbers")
    values = tuple(array.astype("float32").tolist())
    if not all(map(math.isfinite, values)):
        raise ProtocolError(f"output {name} is not finite; check the model", model=response.model)
    return values


def integers(response: InferenceResponse, name: str, size: int | None = None) -> tuple[int, ...]:
    """Returns the integers of output `name` [1, size]. Without a size, any number of them."""
    return tuple(_row(response, name, size, "iu", "integers").tolist())


def booleans(response: InferenceResponse, name: str, size: int) -> tuple[bool, ...]:
    """Returns the booleans of output `name` [1, size]."""
    return tuple(_row(response, name, size, "b", "booleans").tolist())


def _row(response: InferenceResponse, name: str, size: int | None, kinds: str, expected: str) -> "NDArray[Any]":
    array = _output(response, name)
    sizes = (1, array.shape[-1] if size is None and array.ndim else size)
    if array.shape != sizes or array.dtype.kind not in kinds:
        shape = f"(1, {'n' if size is None else size})"
        problem = f"output {name} is {array.dtype} of shape {array.shape}, expected {expected} of shape {shape}"
        raise ProtocolError(f"{problem}; use a client and a model of the same release", model=response.model)
    row: NDArray[Any] = array[0]
    return row


def _output(response: InferenceResponse, name: str) -> "NDArray[Any]":
    for tensor in response.outputs:
        if tensor.name == name:
            return tensor.array
    problem = f"output {name} is missing, got {[tensor.name for tensor in response.outputs]}"
    raise ProtocolError(f"{problem}; is {response.model} a model for this question?", model=response.model)
