"""Typed tensors of requests and responses.

numpy is imported only when a tensor is made: `import genderclient` stays fast.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The v2 protocol's name of each dtype.
DATATYPES: Final = {
    "object": "BYTES",
    "bool": "BOOL",
    **{f"int{bits}": f"INT{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"UINT{bits}" for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"FP{bits}" for bits in (16, 32, 64)},
}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tensor:
    """A named array of one request or response.

    Args:
        name: The tensor's name in the model's configuration.
        array: The values, with the batch dimension first. BYTES tensors are object arrays of `bytes`.
    """

    name: str
    array: NDArray[Any]

    @property
    def datatype(self) -> str:
        """The v2 protocol's name of the dtype, such as BYTES, INT64 or FP32."""
        if (datatype := DATATYPES.get(self.array.dtype.name)) is None:
            raise TypeError(f"tensor {self.name}: dtype {self.array.dtype} is not supported; convert the array")
        return datatype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def nbytes(self) -> int:
        """Size of the values in bytes."""
        return sum(map(len, self.array.flat)) if self.datatype == "BYTES" else self.array.nbytes

    @property
    def value(self) -> Any:
        """The value of a tensor with one element."""
        return self.array.item()

    @property
    def values(self) -> tuple[Any, ...]:
        """The values in row-major order."""
        return tuple(self.array.ravel().tolist())

    def __repr__(self) -> str:
        # Values are omitted: they may be an avatar or a nickname.
        return f"{type(self).__name__}({self.name!r}, {self.array.dtype}, {list(self.shape)})"


class BytesTensor(Tensor):
    """One BYTES value of shape [1,1], such as an avatar or a nickname."""

    __slots__ = ()

    def __init__(self, name: str, value: bytes) -> None:
        import numpy as np

        # dtype S would drop trailing NUL bytes, which images have.
        super().__init__(name, np.array([[value]], dtype=np.object_))


class FloatTensor(Tensor):
    """An FP32 tensor made from plain numbers: `FloatTensor("WEIGHTS", (1, 2), (0.5, 0.5))`."""

    __slots__ = ()

    def __init__(self, name: str, shape: tuple[int, ...], values: Iterable[float]) -> None:
        import numpy as np

        super().__init__(name, np.array(tuple(values), dtype=np.float32).reshape(shape))
