"""The users of the article: who tells what, and what can be known of them.

220 of 300 people could be told by avatar, nickname or both; the other 80 by nobody, which caps every
model at (220 + 80 / 2) / 300 = 86.7 %. Here some avatars and nicknames contradict each other as well,
and some hints are weak, so the exact ceiling is the mean of max(p, 1 - p) over the users' posteriors.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from genderprep.tensors import LABELS

OWN: Final = "own"
OTHER: Final = "other"
NOTHING: Final = ""


@dataclass(frozen=True)
class Stratum:
    """A kind of user: its share, and whether avatar and nickname speak of the own gender, the other, or none."""

    name: str
    share: float
    avatar: str
    nickname: str


STRATA: Final = (
    Stratum("both", 116 / 300, OWN, OWN),
    Stratum("avatar only", 46 / 300, OWN, NOTHING),
    Stratum("nickname only", 46 / 300, NOTHING, OWN),
    Stratum("conflict", 9 / 300, OTHER, OWN),
    Stratum("conflict", 3 / 300, OWN, OTHER),
    Stratum("neither", 80 / 300, NOTHING, NOTHING),
)


@dataclass(frozen=True)
class Evidence:
    """How likely what is shown would be if it said nothing, and if it spoke of a man or of a woman."""

    nothing: float
    male: float
    female: float

    def of(self, gender: str) -> float:
        """The likelihood if it spoke of `gender` (empty: of nobody)."""
        return {NOTHING: self.nothing, "male": self.male, "female": self.female}[gender]


SAYS_NOTHING: Final = Evidence(1, 0, 0)
# Evidence that leaves the posterior to the other modality, for ceilings of one modality alone.
NOT_SHOWN: Final = Evidence(1, 1, 1)


def certain(gender: str) -> Evidence:
    """Evidence of what speaks of `gender` beyond doubt, or of nobody if it is empty."""
    return Evidence(*(float(gender == said) for said in (NOTHING, "male", "female")))


def draw_stratum(dice: Random) -> Stratum:
    """One kind of user, by share."""
    return dice.choices(STRATA, [stratum.share for stratum in STRATA])[0]


def spoken_of(relation: str, gender: str) -> str:
    """Whose gender a modality in `relation` to a user of `gender` speaks of; empty for nobody's."""
    male, female = LABELS
    other = {male: female, female: male}
    return {OWN: gender, OTHER: other[gender], NOTHING: NOTHING}[relation]


def posterior(avatar: Evidence, nickname: Evidence) -> float:
    """P(female | what is shown), exact by Bayes' rule over strata and genders; both genders equally likely."""
    male, female = (_joint(gender, avatar, nickname) for gender in LABELS)
    return female / (male + female)


def _joint(gender: str, avatar: Evidence, nickname: Evidence) -> float:
    return sum(
        stratum.share * avatar.of(spoken_of(stratum.avatar, gender)) * nickname.of(spoken_of(stratum.nickname, gender))
        for stratum in STRATA
    )
