"""A second request for an answer that is late; whichever is answered first counts."""

import math
import threading
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """Asks another server too when no answer came within `after_s` seconds.

    Choose the latency that one request in twenty exceeds (Dean and Barroso, "The Tail at Scale", 2013). `max_share` is
    how many requests more than without it there may be: where all servers are slow, asking twice makes them slower.
    """

    after_s: float
    max_share: float = 0.05

    def __post_init__(self) -> None:
        if not (math.isfinite(self.after_s) and self.after_s > 0):
            raise ValueError(f"after_s: got {self.after_s}, expected a positive number of seconds")
        if not 0 < self.max_share <= 1:
            raise ValueError(f"max_share: got {self.max_share}, expected a share over 0, at most 1")


class HedgeBudget:
    """Keeps the share: each prediction brings `max_share` of a token, each second request takes a whole one."""

    CAPACITY: Final = 10.0

    def __init__(self, hedge: Hedge) -> None:
        self.after_s = hedge.after_s
        self._max_share = hedge.max_share
        self._tokens = 1.0
        self._lock = threading.Lock()

    def begun(self) -> None:
        with self._lock:
            self._tokens = min(self.CAPACITY, self._tokens + self._max_share)

    def take(self) -> bool:
        """Whether there is a token left for a second request; it is gone then."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
