"""Valid files with something missing, changed or added: cut anywhere, bytes set to edges, blocks moved, tails."""

from collections.abc import Iterator
from functools import partial
from random import Random

from . import Case, Expected
from .sample_per_kind import valid

CUTS = (1, 2, 3, 4, 8, 12, 16, 20, 24, 30, 40, 64, 100)
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
EDGES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)


def cases(seed: int) -> Iterator[Case]:
    for name, content in valid().items():
        lengths = sorted({*CUTS, *(int(share * len(content)) for share in SHARES), len(content) - 1})
        for length in (each for each in lengths if each < len(content)):
            yield Case("truncated", f"{name}, {length} of {len(content)} bytes", partial(_part, content, 0, length))
        yield Case("no beginning", name, partial(_part, content, len(content) // 3, None), Expected.REFUSAL)
        dice = Random(f"{seed} {name}")
        for number in range(8):
            yield Case("changed bytes", f"{name}, {number}", partial(_edged, content, dice.random()))
        for number in range(3):
            yield Case("moved blocks", f"{name}, {number}", partial(_moved, content, dice.random()))
        yield Case("trailing bytes", f"{name}, zeros", partial(_joined, content, bytes(100_000)), Expected.ANSWER)
        yield Case("trailing bytes", f"{name}, itself", partial(_joined, content, content), Expected.ANSWER)


def _part(content: bytes, start: int, end: int | None) -> bytes:
    return content[start:end]


def _joined(content: bytes, tail: bytes) -> bytes:
    return content + tail


def _edged(content: bytes, seed: float) -> bytes:
    """Some bytes at the edges of their range, most of them in the head, which says how long everything is."""
    dice, changed = Random(seed), bytearray(content)
    for _ in range(dice.choice((1, 2, 8, 32))):
        end = dice.choice((64, 256, len(content)))
        changed[dice.randrange(4, min(end, len(content)))] = dice.choice(EDGES)
    return bytes(changed)


def _moved(content: bytes, seed: float) -> bytes:
    """A stretch cut out and put somewhere else."""
    dice = Random(seed)
    first, second, place = sorted(dice.randrange(16, len(content)) for _ in range(3))
    return content[:first] + content[second:place] + content[first:second] + content[place:]
