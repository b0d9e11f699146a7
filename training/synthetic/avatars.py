"""Which picture a user shows: drawn for the user alone, or one of the real ones of the user's split."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from ..data.manifest import split_of
from .degrade import degrade
from .drawing import draw_default_avatar, draw_scene, portrait_with_evidence
from .strata import SAYS_NOTHING, Evidence

DRAWN: Final = "drawn"
# Faces are what most users show, and the hardest to learn.
SHARES: Final = {"faker_portraits": 2, "us_congress": 2}


@dataclass(frozen=True)
class Avatar:
    """One picture: who or what it shows, its gender (empty if neutral), and how to encode a copy of it."""

    identity: str
    gender: str
    encode: Callable[[Random], bytes]
    source: str
    evidence: Evidence


class Gallery:
    """Real pictures by split, gender and source; every picture is in the split of its identity."""

    def __init__(self, pictures: Sequence[Avatar] = ()) -> None:
        self._shelves: dict[tuple[str, str], dict[str, list[Avatar]]] = defaultdict(lambda: defaultdict(list))
        for picture in pictures:
            self._shelves[split_of(picture.identity), picture.gender][picture.source].append(picture)

    def pick(self, split: str, speaks_of: str, seed: int, dice: Random) -> Avatar | None:
        """A picture that speaks of a gender, or of nobody if `speaks_of` is empty; a few show none at all then.

        Every source is as likely as a new drawing, which `seed` decides, and portraits of people twice as likely.
        """
        if not speaks_of and dice.random() < 0.1:
            return None
        shelf = self._shelves[split, speaks_of]
        source = dice.choice([DRAWN, *(name for name in shelf for _ in range(SHARES.get(name, 1)))])
        return _drawn(speaks_of, seed) if source == DRAWN else dice.choice(shelf[source])


def _drawn(gender: str, seed: int) -> Avatar:
    dice = Random(f"{seed}/kind")
    if gender:
        image, evidence = portrait_with_evidence(gender, seed)
    else:
        image, evidence = draw_default_avatar() if dice.random() < 0.06 else draw_scene(seed), SAYS_NOTHING
    return Avatar(f"drawn/{seed}", gender, lambda dice: degrade(image, dice), DRAWN, evidence)
