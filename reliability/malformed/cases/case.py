"""A malformed input, and which results are correct for it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

Content = bytes | Callable[[], bytes]


class Expected(StrEnum):
    """The results that are correct for an input. A crash, another error or a timeout never is."""

    ANSWER = "answered"
    REFUSAL = "refused"
    EITHER = "answered or refused"


@dataclass(frozen=True)
class Case:
    """One input. `content` is a function where the bytes are too large to hold for every case at once."""

    kind: str
    name: str
    content: Content
    expected: Expected = Expected.EITHER

    def make(self) -> bytes:
        """Return the bytes of the input."""
        return self.content if isinstance(self.content, bytes) else self.content()

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


def cases_of(kind: str, contents: Mapping[str, Content], expected: Expected = Expected.EITHER) -> Iterator[Case]:
    """Yield one case per name, all of the same kind and with the same expectation."""
    for name, content in contents.items():
        yield Case(kind, name, content, expected)


def sample_per_kind(cases: Iterable[Case], limit: int) -> Iterator[Case]:
    """Yield at most `limit` cases of each kind, evenly spaced."""
    by_kind: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_kind[case.kind].append(case)
    for same_kind in by_kind.values():
        yield from same_kind[:: -(-len(same_kind) // limit)]
