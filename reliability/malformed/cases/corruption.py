"""Valid files that are truncated, overwritten with boundary values, reordered or extended."""

from collections.abc import Iterator
from functools import partial
from random import Random

from .case import Case, Expected
from .valid_files import valid_files

LENGTHS = (1, 2, 3, 4, 8, 12, 16, 20, 24, 30, 40, 64, 100)
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
BOUNDARY_VALUES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)


def cases(seed: int) -> Iterator[Case]:
    for name, content in valid_files().items():
        lengths = sorted({*LENGTHS, *(int(share * len(content)) for share in SHARES), len(content) - 1})
        for length in (each for each in lengths if each < len(content)):
            yield Case("truncated", f"{name}, {length} of {len(content)} bytes", content[:length])
        yield Case("no beginning", name, content[len(content) // 3 :], Expected.REFUSAL)
        rng = Random(f"{seed} {name}")
        for number in range(8):
            yield Case("changed bytes", f"{name}, {number}", partial(_with_boundary_values, content, rng.random()))
        for number in range(3):
            yield Case("moved blocks", f"{name}, {number}", partial(_reordered, content, rng.random()))
        yield Case("trailing bytes", f"{name}, zeros", content + bytes(100_000), Expected.ANSWER)
        yield Case("trailing bytes", f"{name}, itself", content + content, Expected.ANSWER)


def _with_boundary_values(content: bytes, seed: float) -> bytes:
    """Overwrite some bytes, most of them in the header, where lengths are declared."""
    rng, changed = Random(seed), bytearray(content)
    for _ in range(rng.choice((1, 2, 8, 32))):
        end = rng.choice((64, 256, len(content)))
        changed[rng.randrange(4, min(end, len(content)))] = rng.choice(BOUNDARY_VALUES)
    return bytes(changed)


def _reordered(content: bytes, seed: float) -> bytes:
    """Swap two adjacent blocks of random length."""
    rng = Random(seed)
    first, second, end = sorted(rng.randrange(16, len(content)) for _ in range(3))
    return content[:first] + content[second:end] + content[first:second] + content[end:]
