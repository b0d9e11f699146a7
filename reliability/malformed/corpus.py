"""All malformed inputs. The same seed gives the same inputs."""

from collections.abc import Iterator

from .cases import (
    animations,
    bombs,
    color_modes,
    corruption,
    declared_sizes,
    foreign_formats,
    many_segments,
    metadata,
    structure,
)
from .cases import nicknames as nickname_cases
from .cases.case import Case

# Besides `corruption`, which draws its damage at random.
AVATAR_KINDS = (
    declared_sizes,
    structure,
    many_segments,
    metadata,
    color_modes,
    animations,
    bombs,
    foreign_formats,
)


def avatars(seed: int = 1) -> Iterator[Case]:
    """Yield more than 1,500 avatars: damaged files, bombs, other formats, and rare variants that are valid."""
    yield from corruption.cases(seed)
    for module in AVATAR_KINDS:
        yield from module.cases()


def nicknames(seed: int = 1) -> Iterator[Case]:
    """Yield nicknames that commonly break text processing."""
    return nickname_cases.cases(seed)
