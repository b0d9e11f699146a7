"""What a hostile input is, and all of them: made by code, the same for the same seed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Expected(StrEnum):
    """What may happen to an input. A crash, another error, or no answer in time is never right."""

    ANSWER = "answered"
    REFUSAL = "refused"
    EITHER = "answered or refused"


@dataclass(frozen=True)
class Case:
    """One input; `make` gives its bytes when they are needed, since some are as large as the limits allow."""

    kind: str
    name: str
    make: Callable[[], bytes]
    expected: Expected = Expected.EITHER

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


def avatars(seed: int = 1) -> Iterator[Case]:
    """Several hundred avatars that nobody sends by accident, and some odd ones that are valid."""
    from . import (
        animations,
        bombs,
        metadata,
        structure,
    )
    from . import (
        color_modes as modes,
    )
    from . import (
        corruption as damage,
    )
    from . import (
        foreign_formats as strangers,
    )

    for module in (damage, structure, metadata, modes, animations, bombs, strangers):
        yield from module.cases(seed)


def some(cases: Iterable[Case], of_each: int) -> Iterator[Case]:
    """So many of each kind, spread over all that it has."""
    kinds: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        kinds[case.kind].append(case)
    for found in kinds.values():
        yield from found[:: -(-len(found) // of_each)]


def nicknames(seed: int = 1) -> Iterator[Case]:
    """Nicknames that have broken software before."""
    from .nicknames import cases

    return cases(seed)
