"""When to send a request again: written once, without I/O, for the client and its async twin."""

import logging
import random
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Final

from genderclient._exceptions import error_for
from genderclient._transports.base import InferenceRequest, InferenceResponse, Status, TransportError
from genderclient.hedging import HedgeBudget

_LOG: Final = logging.getLogger("genderclient")

# Whoever was refused, or lost the connection, has no answer; asking the same of a model twice harms nobody.
RETRYABLE: Final = (Status.UNAVAILABLE, Status.OVERLOADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a request is sent at most, and how long to wait in between.

    The wait before attempt n + 1 is drawn evenly from 0 to `first_backoff_s` · 2ⁿ⁻¹ seconds, at most `max_backoff_s`
    ("full jitter"): users who failed together do not come back together.
    """

    attempts: int = 3
    first_backoff_s: float = 0.1
    max_backoff_s: float = 1.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts: got {self.attempts}, expected 1 or more; 1 never sends again")
        if not 0 <= self.first_backoff_s <= self.max_backoff_s:
            got = f"first_backoff_s {self.first_backoff_s}, max_backoff_s {self.max_backoff_s}"
            raise ValueError(f"{got}: expected 0 ≤ first ≤ max")

    def backoff_s(self, failures: int, share: float) -> float:
        """The wait after so many failures; `share` is drawn from 0 to 1."""
        return share * min(self.max_backoff_s, self.first_backoff_s * 2.0 ** (failures - 1))


class RetryBudget:
    """Stops a client from doubling the load of servers that fail: throttling as in gRPC's retry design (gRFC A6).

    Each failure takes a token, each answer gives a tenth of one back; with half of them gone nothing is sent again.
    A server that cannot be reached costs nothing while `elsewhere` says that another one is well: that one is asked.
    """

    CAPACITY: Final = 10.0
    REWARD: Final = 0.1

    def __init__(self, elsewhere: Callable[[], bool] = lambda: False) -> None:
        self._elsewhere = elsewhere
        self._tokens = self.CAPACITY
        self._lock = threading.Lock()

    def answered(self) -> None:
        with self._lock:
            self._tokens = min(self.CAPACITY, self._tokens + self.REWARD)

    def failed(self, status: Status) -> bool:
        """Counts a failure; returns whether there is enough left to try again."""
        if status is Status.UNAVAILABLE and self._elsewhere():
            return True
        with self._lock:
            self._tokens = max(0.0, self._tokens - 1)
            return self._tokens > self.CAPACITY / 2


@dataclass(frozen=True, slots=True)
class Send:
    """Send this, and come back with the response or the error, or with nothing when patience ends before."""

    request: InferenceRequest
    patience_s: float | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Come back with what becomes of the requests under way."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Come back after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response, the seconds from the first sending to it, and how often its request was sent until then."""

    response: InferenceResponse
    latency_s: float
    attempts: int
    request_id: str


Outcome = InferenceResponse | TransportError | None
Steps = Generator[Send | Wait | Sleep, Outcome, Answer]


def steps(
    request: InferenceRequest,
    retry: Retry,
    budget: RetryBudget,
    hedging: HedgeBudget | None = None,
    *,
    now: Callable[[], float] = time.monotonic,
    share: Callable[[], float] = random.random,
) -> Steps:
    """What to do, one step after the other, until there is a response; all of it within `request.timeout_s`.

    Raises a GenderClientError when there will be none.
    """
    started_s, sent = now(), 0
    deadline_s = started_s + request.timeout_s
    for failures in range(1, retry.attempts + 1):
        outcome, times = yield from _sent(request, deadline_s, hedging, now)
        sent += times
        if isinstance(outcome, InferenceResponse):
            budget.answered()
            latency_s = now() - started_s
            return Answer(response=outcome, latency_s=latency_s, attempts=sent, request_id=request.request_id)
        _LOG.debug("%s, request %s, sent %d times: %s", request.model, request.request_id, sent, outcome.status.name)
        wait_s = retry.backoff_s(failures, share())
        may_retry = outcome.status in RETRYABLE and budget.failed(outcome.status) and failures < retry.attempts
        if may_retry and now() + wait_s < deadline_s:
            yield Sleep(wait_s)
            if now() < deadline_s:
                continue
        raise error_for(outcome, request, attempts=sent) from outcome
    raise AssertionError("the last attempt answers or raises")


def _sent(
    request: InferenceRequest, deadline_s: float, hedging: HedgeBudget | None, now: Callable[[], float]
) -> Generator[Send | Wait, Outcome, tuple[InferenceResponse | TransportError, int]]:
    """What came of sending it, and how often it was: twice where the answer is late and the budget allows it."""
    times = 1
    if hedging:
        hedging.begun()
    outcome = yield Send(_due(request, deadline_s - now()), hedging.after_s if hedging else None)
    if outcome is None:
        left_s = deadline_s - now()
        if hedging and left_s > 0 and hedging.take():
            times = 2
            outcome = yield Send(_due(request, left_s))
        else:
            outcome = yield Wait()
    assert outcome is not None
    return outcome, times


def _due(request: InferenceRequest, left_s: float) -> InferenceRequest:
    return replace(request, timeout_s=left_s)
