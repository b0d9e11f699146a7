"""Checks of texts, ids, counts and seeds. No error repeats a text or an id."""

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from genderclient._config.checks import check_integer, check_iterable
from genderclient._exceptions import InvalidInput
from genderclient._missing import is_missing
from genderclient._transports.tensors import Tensor

MAX_INTEGER: Final = 2**63 - 1


def checked_ids(name: str, pictures: Iterable[int], first: int | None = None) -> tuple[int, ...]:
    """Returns the ids of pictures, at most the `first` ones. Raises TypeError or ValueError if one is not an id."""
    check_iterable(name, pictures, "the ids of pictures")
    return tuple(checked_id(f"{name}, position {index}", each) for index, each in enumerate(islice(pictures, first)))


def checked_id(place: str, value: Any) -> int:
    """Returns the id of a picture. Raises TypeError or ValueError for any other value."""
    check_integer(place, value, "the id of a picture, an integer")
    if not 0 <= value <= MAX_INTEGER:
        raise ValueError(f"{place}: expected the id of a picture, an integer from 0 to {MAX_INTEGER}")
    return int(value)


def encode_text(name: str, text: Any, invalid: type[InvalidInput] = InvalidInput) -> bytes:
    """Returns text in UTF-8, empty if it is missing. Raises TypeError, or `invalid` for what UTF-8 cannot encode."""
    if is_missing(text):
        return b""
    if not isinstance(text, str):
        raise TypeError(f"{name}: got {type(text).__name__}, expected str or None")
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        message = f"{name}: lone surrogate at index {exc.start}; decode the text as UTF-8 or UTF-16 at its source"
        # The original error holds the text.
        raise invalid(message) from None


def checked_integer(name: str, value: Any, least: int, most: int) -> int:
    """Returns an integer between two limits. Raises TypeError or ValueError for any other value."""
    expected = f"an integer from {least} to {most}"
    check_integer(name, value, expected)
    if not least <= value <= most:
        raise ValueError(f"{name}: got {value}, expected {expected}")
    return int(value)


def integer_tensor(name: str, values: Iterable[int]) -> Tensor:
    """An INT64 tensor of shape [1, number of values]."""
    import numpy as np

    return Tensor(name, np.array([tuple(values)], dtype=np.int64))
