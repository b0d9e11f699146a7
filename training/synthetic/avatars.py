"""Choose a user's avatar: a new drawing, or a real image of the user's split."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from .degrade import degrade
from .drawing import draw_default_avatar, draw_portrait_with_evidence, draw_scene
from .strata import NO_SIGNAL, Evidence

DRAWN: Final = "drawn"
# Sources that are chosen more often than others: most users show a face, and faces are the hardest to learn.
SOURCE_WEIGHTS: Final = {"faker_portraits": 2, "us_congress": 2}


@dataclass(frozen=True)
class Avatar:
    """An image of `gender` (empty: neutral). `identity` is who or what it shows; `encode` degrades a copy at random.

    `split` is empty for a new drawing, which any split may use.
    """

    identity: str
    gender: str
    encode: Callable[[Random], bytes]
    source: str
    evidence: Evidence
    split: str = ""


class AvatarPool:
    """Real images by split, gender and source."""

    def __init__(self, avatars: Sequence[Avatar] = ()) -> None:
        self._avatars: dict[tuple[str, str], dict[str, list[Avatar]]] = defaultdict(lambda: defaultdict(list))
        for avatar in avatars:
            self._avatars[avatar.split, avatar.gender][avatar.source].append(avatar)

    def pick(self, split: str, gender: str, seed: int, rng: Random) -> Avatar | None:
        """Pick an avatar that shows `gender`, or a neutral one if `gender` is empty.

        All sources and new drawings are equally likely, except for `SOURCE_WEIGHTS`. `seed` determines a new
        drawing. One neutral user in ten has no avatar: None.
        """
        if not gender and rng.random() < 0.1:
            return None
        by_source = self._avatars[split, gender]
        source = rng.choice([DRAWN, *(name for name in by_source for _ in range(SOURCE_WEIGHTS.get(name, 1)))])
        return _draw(gender, seed) if source == DRAWN else rng.choice(by_source[source])


def _draw(gender: str, seed: int) -> Avatar:
    rng = Random(f"{seed}/kind")
    if gender:
        image, evidence = draw_portrait_with_evidence(gender, seed)
    else:
        image, evidence = draw_default_avatar() if rng.random() < 0.06 else draw_scene(seed), NO_SIGNAL
    return Avatar(f"drawn/{seed}", gender, lambda rng: degrade(image, rng), DRAWN, evidence)
