"""How a day of the product goes: who is greeted, and how many at once."""

import math
from collections import deque
from itertools import count
from random import Random
from typing import Final

from .workload import users

POOL: Final = 120
# The share of greetings for someone who was greeted a moment ago.
REPEATED: Final = 0.1
# When the spikes are, as shares of the run, how wide, and how much of their height quiet hours have.
SPIKES: Final = (0.3, 0.75)
WIDTH: Final = 0.08
QUIET: Final = 0.1

Greeted = tuple[bytes, str]


class Crowd:
    """Everybody there is: new users without end, and those greeted lately."""

    def __init__(self, seed: int) -> None:
        self._pool, self._dice = users(POOL, seed), Random(seed)
        self._numbers = count()
        self._lately: deque[Greeted] = deque(maxlen=100)

    def next(self) -> Greeted:
        """Avatar and nickname of who is greeted next."""
        if self._lately and self._dice.random() < REPEATED:
            return self._dice.choice(self._lately)
        number = next(self._numbers)
        user = self._pool[number % POOL]
        # A number makes a new user of a known one.
        self._lately.append((user.avatar, f"{user.nickname}{number}"))
        return self._lately[-1]


def level(passed: float) -> float:
    """The crowd at a moment of the day, 0 to 1, as a share of the highest spike."""
    spike = max(math.exp(-(((passed - moment) / WIDTH) ** 2) / 2) for moment in SPIKES)
    return QUIET + (1 - QUIET) * spike
