"""Load balancing over several servers, with ejection of those that fail."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from typing import Final

from genderclient._transports.base import Status

# Consecutive failures that eject a server. A single timeout may come from too short a deadline; three mean that the
# server hangs. An overloaded server is not ejected: a retry goes to another one.
EJECT_AFTER: Final = {Status.UNAVAILABLE: 1, Status.DEADLINE_EXCEEDED: 3}
FIRST_EJECTION_S: Final = 1.0
MAX_EJECTION_S: Final = 30.0
MAX_EJECTIONS: Final = 10
_LOG: Final = logging.getLogger("genderclient")


class Replicas:
    """Picks `count` servers round-robin and skips ejected ones.

    Each consecutive ejection lasts twice as long as the one before. Failures during an ejection do not count: they are
    of requests that were in flight. If all servers are ejected, the one whose ejection ends first is picked, so that a
    recovery is noticed.
    """

    def __init__(self, count: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._failures = [0] * count
        self._ejections = [0] * count
        self._ejected_until_s = [0.0] * count
        self._next = 0
        self._now = now
        self._lock = threading.Lock()

    def pick(self, tried: Collection[int] = ()) -> int:
        """Returns the index of the server to use: one that has not been `tried` if possible."""
        with self._lock:
            now_s = self._now()
            order = [(self._next + step) % self._count for step in range(self._count)]
            available = [index for index in order if self._ejected_until_s[index] <= now_s]
            untried = (index for index in available if index not in tried)
            first_to_end = min(order, key=self._ejected_until_s.__getitem__)
            picked = next(untried, available[0] if available else first_to_end)
            self._next = (picked + 1) % self._count
            return picked

    def any_available(self) -> bool:
        """Whether at least one server is not ejected."""
        with self._lock:
            return min(self._ejected_until_s) <= self._now()

    def report(self, index: int, failure: Status | None) -> None:
        """Records the outcome of a request: None for a response. A refusal counts as healthy."""
        with self._lock:
            if failure not in EJECT_AFTER:
                self._failures[index], self._ejections[index], self._ejected_until_s[index] = 0, 0, 0.0
                return
            now_s = self._now()
            if now_s < self._ejected_until_s[index]:
                return
            self._failures[index] += 1
            if self._failures[index] < EJECT_AFTER[failure]:
                return
            ejection_s = min(MAX_EJECTION_S, FIRST_EJECTION_S * 2.0 ** self._ejections[index])
            # Bounded, because 2.0**1024 overflows.
            self._ejections[index] = min(self._ejections[index] + 1, MAX_EJECTIONS)
            self._ejected_until_s[index] = now_s + ejection_s
            _LOG.info("ejected server %d of %d for %g s: %s", index + 1, self._count, ejection_s, failure.name)
