"""The article's groups of users, by which of avatar and nickname reveal the gender.

Of 300 people, 220 could be recognized by avatar, nickname or both. The other 80 could not, which limits every model
to (220 + 80 / 2) / 300 = 86.7 %; 300 people leave an interval of 84.2 to 89.2 %. Here some avatars and nicknames also
contradict each other, and some cues are weak, so the exact ceiling is the mean of max(p, 1 − p) over the users'
posteriors.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from genderprep.tensors import LABELS

# What a modality signals: the user's own gender, the other one, or none.
OWN: Final = "own"
OTHER: Final = "other"
NONE: Final = ""

OPPOSITE: Final = dict(zip(LABELS, reversed(LABELS), strict=True))


@dataclass(frozen=True)
class Stratum:
    """A group of users: its share, and what avatar and nickname signal."""

    name: str
    share: float
    avatar: str
    nickname: str


STRATA: Final = (
    Stratum("both", 116 / 300, OWN, OWN),
    Stratum("avatar only", 46 / 300, OWN, NONE),
    Stratum("nickname only", 46 / 300, NONE, OWN),
    Stratum("conflict", 9 / 300, OTHER, OWN),
    Stratum("conflict", 3 / 300, OWN, OTHER),
    Stratum("neither", 80 / 300, NONE, NONE),
)


@dataclass(frozen=True)
class Evidence:
    """Likelihoods of an avatar or nickname if it signals no gender, male, or female."""

    none: float
    male: float
    female: float

    def of(self, gender: str) -> float:
        """Return the likelihood if the signal is `gender` (empty: none)."""
        return {NONE: self.none, "male": self.male, "female": self.female}[gender]


NO_SIGNAL: Final = Evidence(1, 0, 0)
# A modality that is not observed leaves the posterior to the other one.
UNOBSERVED: Final = Evidence(1, 1, 1)


def certain_evidence(gender: str) -> Evidence:
    """Return the evidence of an unmistakable signal (empty: no signal)."""
    return Evidence(*(float(gender == signal) for signal in (NONE, "male", "female")))


def draw_stratum(rng: Random) -> Stratum:
    """Draw a stratum by share."""
    return rng.choices(STRATA, [stratum.share for stratum in STRATA])[0]


def signaled_gender(signal: str, gender: str) -> str:
    """Return the gender that a modality with `signal` shows for a user of `gender`; empty for `NONE`."""
    return {OWN: gender, OTHER: OPPOSITE[gender], NONE: NONE}[signal]


def posterior(avatar: Evidence, nickname: Evidence) -> float:
    """Return the exact P(female | avatar, nickname) by Bayes' rule over strata and equally likely genders."""
    male, female = (_joint(gender, avatar, nickname) for gender in LABELS)
    return female / (male + female)


def _joint(gender: str, avatar: Evidence, nickname: Evidence) -> float:
    return sum(
        stratum.share
        * avatar.of(signaled_gender(stratum.avatar, gender))
        * nickname.of(signaled_gender(stratum.nickname, gender))
        for stratum in STRATA
    )
