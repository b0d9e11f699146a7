"""Checks of the types of options. Imported by every module with options, so it imports none of them."""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Final

# Longer than this, operating systems and gRPC cannot wait.
_YEAR_S: Final = 365 * 86_400


def check_type(name: str, value: object, kind: type | tuple[type, ...], expected: str) -> None:
    """Raises TypeError with a sentence if `value` is not a `kind`. The value itself is not shown."""
    if not isinstance(value, kind):
        raise TypeError(f"{name}: got {type(value).__name__}, expected {expected}")


def check_iterable(name: str, value: object, expected: str, kinds: type | tuple[type, ...] = Iterable) -> None:
    """Raises TypeError if `value` is not one of `kinds`. Text and bytes are one value, not many."""
    if isinstance(value, str | bytes | bytearray | memoryview):
        raise TypeError(f"{name}: got {type(value).__name__}, expected {expected}")
    check_type(name, value, kinds, expected)


def check_number(name: str, value: object, expected: str) -> None:
    """Raises TypeError if `value` is not a number. A bool is none."""
    _check_not_bool(name, value, expected)
    check_type(name, value, Real, expected)


def check_integer(name: str, value: object, expected: str) -> None:
    """Raises TypeError if `value` is not an integer. A bool is none."""
    _check_not_bool(name, value, expected)
    check_type(name, value, Integral, expected)


def _check_not_bool(name: str, value: object, expected: str) -> None:
    if isinstance(value, bool):
        raise TypeError(f"{name}: got bool, expected {expected}")


def checked_timeout(timeout_s: float) -> float:
    """Returns a positive number of seconds. Raises TypeError or ValueError for anything else."""
    expected = "a positive number of seconds, at most a year"
    check_number("timeout_s", timeout_s, expected)
    if not 0 < timeout_s <= _YEAR_S:
        raise ValueError(f"timeout_s: got {timeout_s}, expected {expected}")
    return timeout_s
