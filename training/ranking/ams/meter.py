"""Bytes and calls between the parts of a training job."""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np


class Link(NamedTuple):
    """What is sent, from whom, to whom."""

    kind: str
    source: str
    target: str


class Meter:
    """Counts the payload of every call: the bytes of its arrays, without headers of any protocol."""

    def __init__(self) -> None:
        self.bytes: Counter[Link] = Counter()
        self.calls: Counter[Link] = Counter()

    def count(self, link: Link, *values: Any) -> None:
        """Count one message that carries these values."""
        self.bytes[link] += sum(payload(value) for value in values)
        self.calls[link] += 1

    def __add__(self, other: "Meter") -> "Meter":
        total = Meter()
        total.bytes, total.calls = self.bytes + other.bytes, self.calls + other.calls
        return total

    def __sub__(self, earlier: "Meter") -> "Meter":
        difference = Meter()
        difference.bytes, difference.calls = self.bytes - earlier.bytes, self.calls - earlier.calls
        return difference

    def by_kind(self) -> dict[str, int]:
        """Return the bytes of each kind."""
        kinds: Counter[str] = Counter()
        for link, count in self.bytes.items():
            kinds[link.kind] += count
        return dict(kinds)


def payload(value: Any) -> int:
    """Return the bytes of an array, or of all arrays in a tuple or list."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    return sum(map(payload, value)) if isinstance(value, (tuple, list)) else 0
