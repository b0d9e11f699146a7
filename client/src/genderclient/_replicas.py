"""Which of several servers to ask, and for how long to leave alone one that fails."""

import threading
import time
from collections.abc import Callable
from typing import Final

from genderclient._transports.base import Status

# What a server is put aside for; an overloaded one is well, and who asks again finds another anyway.
EJECTING: Final = (Status.UNAVAILABLE,)
FIRST_EJECTION_S: Final = 1.0
MAX_EJECTION_S: Final = 30.0


class Replicas:
    """Takes `count` servers in turn, past those that failed lately; each failure in a row doubles how long.

    When all have failed, whoever comes back first is asked: a client that asks nobody learns nothing.
    """

    def __init__(self, count: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._failures = [0] * count
        self._back_at_s = [0.0] * count
        self._next = 0
        self._now = now
        self._lock = threading.Lock()

    def pick(self) -> int:
        """The index of the server to ask."""
        with self._lock:
            count, now_s = len(self._failures), self._now()
            order = [(self._next + step) % count for step in range(count)]
            chosen = next(
                (i for i in order if self._back_at_s[i] <= now_s), min(order, key=self._back_at_s.__getitem__)
            )
            self._next = (chosen + 1) % count
            return chosen

    def report(self, index: int, failure: Status | None) -> None:
        """What came of asking it: `None` for a response. Also a server that says no is well."""
        with self._lock:
            if failure not in EJECTING:
                self._failures[index], self._back_at_s[index] = 0, 0.0
                return
            self._failures[index] += 1
            ejection_s = min(MAX_EJECTION_S, FIRST_EJECTION_S * 2 ** (self._failures[index] - 1))
            self._back_at_s[index] = self._now() + ejection_s
