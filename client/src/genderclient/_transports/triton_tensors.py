"""Tensors from the results of `tritonclient.grpc` and `tritonclient.http`, which have classes of the same shape."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genderclient._transports.base import Status, TransportError
from genderclient._transports.tensors import Tensor


def from_triton(result: Any, names: Iterable[str]) -> tuple[Tensor, ...]:
    """Converts the outputs `names` of a tritonclient `InferResult`."""
    return tuple(_output(result, name) for name in names)


def _output(result: Any, name: str) -> Tensor:
    try:
        array = result.as_numpy(name)
        return Tensor(name, _encode_text(array) if array.dtype == np.object_ else array)
    except Exception as exc:
        # tritonclient does not check sizes: struct.error, IndexError and others.
        raise TransportError(Status.GARBLED, f"output {name} does not match its shape and datatype") from exc


def _encode_text(array: NDArray[np.object_]) -> NDArray[np.object_]:
    """Makes all values `bytes`: JSON carries BYTES as text."""
    encoded = np.empty(array.shape, np.object_)
    for index, value in np.ndenumerate(array):
        encoded[index] = value.encode() if isinstance(value, str) else value
        if not isinstance(encoded[index], bytes):
            raise TypeError(f"got {type(value).__name__}, expected bytes or str")
    return encoded
