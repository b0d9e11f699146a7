"""A day of the product: which users arrive, and how many are active at once."""

import math
from collections import deque
from itertools import count
from random import Random
from typing import Final

from .workload import synthetic_users

POOL: Final = 120
# Share of requests for a user of a moment ago.
REPEATED: Final = 0.1
# Spikes: their times as shares of the day, their width, and the level between them as a share of their height.
SPIKES: Final = (0.3, 0.75)
WIDTH: Final = 0.08
QUIET: Final = 0.1

AvatarAndNickname = tuple[bytes, str]


class Visitors:
    """An endless stream of users: mostly new ones, some of a moment ago."""

    def __init__(self, seed: int) -> None:
        self._pool, self._rng = synthetic_users(POOL, seed), Random(seed)
        self._numbers = count()
        self._recent: deque[AvatarAndNickname] = deque(maxlen=100)

    def next(self) -> AvatarAndNickname:
        """Return the avatar and the nickname of the next user."""
        if self._recent and self._rng.random() < REPEATED:
            return self._rng.choice(self._recent)
        number = next(self._numbers)
        user = self._pool[number % POOL]
        # The number makes the user new: the server has no cached answer.
        self._recent.append((user.avatar, f"{user.nickname}{number}"))
        return self._recent[-1]


def level(passed: float) -> float:
    """Return the active users at a moment of the day (0 to 1), as a share of the highest spike."""
    spike = max(math.exp(-(((passed - moment) / WIDTH) ** 2) / 2) for moment in SPIKES)
    return QUIET + (1 - QUIET) * spike
