"""The contents of tensors in messages: bytes in row-major order, or lists of values.

Source: the "Binary Tensor Data" extension of the Open Inference Protocol.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genderclient._transports.base import Status, TransportError
from genderclient._transports.tensors import DATATYPES, Tensor

# Before each value of a BYTES tensor: its length, little-endian.
_LENGTH_BYTES: Final = 4
_DTYPES: Final = {datatype: np.dtype(dtype) for dtype, datatype in DATATYPES.items()}


def to_bytes(tensor: Tensor) -> bytes:
    """Returns the values as bytes."""
    if tensor.datatype != "BYTES":
        return np.ascontiguousarray(tensor.array, tensor.array.dtype.newbyteorder("<")).tobytes()
    return b"".join(len(value).to_bytes(_LENGTH_BYTES, "little") + value for value in tensor.array.flat)


def from_bytes(name: str, datatype: str, shape: Sequence[int], content: bytes) -> Tensor:
    """Parses values as bytes. Raises TransportError if they do not match `shape` and `datatype`."""
    try:
        if datatype == "BYTES":
            return from_values(name, datatype, shape, _split(content))
        array = np.frombuffer(content, _DTYPES[datatype].newbyteorder("<")).astype(_DTYPES[datatype])
        return Tensor(name, _reshape(array, shape))
    except (KeyError, TypeError, ValueError) as exc:
        raise _mismatch(name) from exc


def from_values(name: str, datatype: str, shape: Sequence[int], values: Any) -> Tensor:
    """Converts a list of values. Raises TransportError if they do not match `shape` and `datatype`."""
    try:
        if datatype != "BYTES":
            return Tensor(name, _reshape(np.array(values, _DTYPES[datatype]), shape))
        array = np.empty(len(values), np.object_)
        # JSON carries BYTES as text.
        array[:] = [value.encode() if isinstance(value, str) else bytes(memoryview(value)) for value in values]
        return Tensor(name, _reshape(array, shape))
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        raise _mismatch(name) from exc


def _split(content: bytes) -> list[bytes]:
    values, position = [], 0
    while position < len(content):
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(content[position:start], "little")
        if position > len(content):
            raise ValueError("the last value is truncated")
        values.append(content[start:position])
    return values


def _reshape(array: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    # numpy would compute a negative length.
    if any(length < 0 for length in shape):
        raise ValueError("a length is negative")
    return array.reshape(tuple(shape))


def _mismatch(name: str) -> TransportError:
    return TransportError(Status.GARBLED, f"output {name} does not match its shape and datatype")
