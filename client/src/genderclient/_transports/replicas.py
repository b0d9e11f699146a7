"""Which of several servers to ask, and for how long to leave alone one that fails."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from genderclient._transports.base import Status

# How often in a row a server may fail before it is put aside: one request may have had too little time, three of them
# mean that the server hangs. An overloaded one is well, and who asks again finds another anyway.
PATIENCE: Final = {Status.UNAVAILABLE: 1, Status.DEADLINE_EXCEEDED: 3}
FIRST_EJECTION_S: Final = 1.0
MAX_EJECTION_S: Final = 30.0
MAX_EJECTIONS: Final = 10
_LOG: Final = logging.getLogger("genderclient")


class Replicas:
    """Takes `count` servers in turn, past those that failed lately; each time in a row doubles for how long.

    When all have failed, whoever comes back first is asked: a client that asks nobody learns nothing.
    """

    def __init__(self, count: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._failures = [0] * count
        self._ejections = [0] * count
        self._back_at_s = [0.0] * count
        self._next = 0
        self._now = now
        self._lock = threading.Lock()

    def pick(self) -> int:
        """The index of the server to ask."""
        with self._lock:
            now_s = self._now()
            order = [(self._next + step) % self._count for step in range(self._count)]
            chosen = next(
                (i for i in order if self._back_at_s[i] <= now_s), min(order, key=self._back_at_s.__getitem__)
            )
            self._next = (chosen + 1) % self._count
            return chosen

    def any_well(self) -> bool:
        """Whether one of them is not left alone now."""
        with self._lock:
            return min(self._back_at_s) <= self._now()

    def report(self, index: int, failure: Status | None) -> None:
        """What came of asking it: `None` for a response. Also a server that says no is well."""
        with self._lock:
            if failure not in PATIENCE:
                self._failures[index], self._ejections[index], self._back_at_s[index] = 0, 0, 0.0
                return
            self._failures[index] += 1
            if self._failures[index] < PATIENCE[failure]:
                return
            ejection_s = min(MAX_EJECTION_S, FIRST_EJECTION_S * 2.0 ** self._ejections[index])
            # It counts no further than matters: 2 to the power of a thousand is no number of seconds.
            self._ejections[index] = min(self._ejections[index] + 1, MAX_EJECTIONS)
            self._back_at_s[index] = self._now() + ejection_s
            _LOG.info("server %d of %d is left alone for %g s: %s", index + 1, self._count, ejection_s, failure.name)
