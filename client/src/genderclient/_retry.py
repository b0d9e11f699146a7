"""When a request is sent again."""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from genderclient._config.checks import check_integer, check_number
from genderclient._exceptions import error_for
from genderclient._flow import Flow, Send, Sleep
from genderclient._transports.base import InferenceRequest, InferenceResponse, Status

_LOG: Final = logging.getLogger("genderclient")

# Inference is idempotent, so resending is safe.
RETRYABLE: Final = (Status.UNAVAILABLE, Status.OVERLOADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Resends requests that were refused or lost, with exponential backoff and full jitter.

    The wait before attempt n + 1 is uniform between 0 and `first_backoff_s` · 2ⁿ⁻¹ seconds, at most `max_backoff_s`.
    The jitter keeps clients that failed together from returning together.
    """

    attempts: int = 3
    first_backoff_s: float = 0.1
    max_backoff_s: float = 1.0

    def __post_init__(self) -> None:
        check_integer("attempts", self.attempts, "1 or more")
        check_number("first_backoff_s", self.first_backoff_s, "a number of seconds")
        check_number("max_backoff_s", self.max_backoff_s, "a number of seconds")
        if self.attempts < 1:
            raise ValueError(f"attempts: got {self.attempts}, expected 1 or more; 1 disables retries")
        if not 0 <= self.first_backoff_s <= self.max_backoff_s:
            got = f"first_backoff_s {self.first_backoff_s}, max_backoff_s {self.max_backoff_s}"
            raise ValueError(f"{got}: expected 0 ≤ first ≤ max")

    def backoff_s(self, failures: int, jitter: float) -> float:
        """The wait after a number of failures, with `jitter` between 0 and 1."""
        return jitter * min(self.max_backoff_s, self.first_backoff_s * 2.0 ** (failures - 1))


class RetryBudget:
    """Keeps retries from multiplying the load of failing servers: the throttling of gRPC's retry design (gRFC A6).

    Each failure costs a token, each response returns a tenth. At half of the capacity or below, nothing is retried. An
    unreachable server costs nothing while another one is available, because the retry goes there.
    """

    CAPACITY: Final = 10.0
    REWARD: Final = 0.1

    def __init__(self, other_server_available: Callable[[], bool] = lambda: False) -> None:
        self._other_server_available = other_server_available
        self._tokens = self.CAPACITY
        self._lock = threading.Lock()

    def record_response(self) -> None:
        with self._lock:
            self._tokens = min(self.CAPACITY, self._tokens + self.REWARD)

    def record_failure(self, status: Status) -> bool:
        """Returns whether the budget allows a retry."""
        if status is Status.UNAVAILABLE and self._other_server_available():
            return True
        with self._lock:
            self._tokens = max(0.0, self._tokens - 1)
            return self._tokens > self.CAPACITY / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """A response, the seconds from the first request to it, and the number of requests it took."""

    response: InferenceResponse
    latency_s: float
    requests: int


def send_with_retries(
    request: InferenceRequest,
    retry: Retry,
    budget: RetryBudget,
    *,
    now: Callable[[], float] = time.monotonic,
    jitter: Callable[[], float] = random.random,
) -> Flow[Inference]:
    """Sends `request` until there is a response, within `request.timeout_s` for all attempts."""
    started_s, requests = now(), 0
    deadline_s = started_s + request.timeout_s
    for failures in range(1, retry.attempts + 1):
        attempt = yield Send(replace(request, timeout_s=deadline_s - now()))
        assert attempt is not None
        requests += attempt.requests
        result = attempt.result
        if isinstance(result, InferenceResponse):
            budget.record_response()
            return Inference(response=result, latency_s=now() - started_s, requests=requests)
        _LOG.debug("%s, request %s, sent %d times: %s", request.model, request.request_id, requests, result.status.name)
        wait_s = max(result.retry_after_s, retry.backoff_s(failures, jitter()))
        may_retry = result.status in RETRYABLE and budget.record_failure(result.status) and failures < retry.attempts
        if may_retry and now() + wait_s < deadline_s:
            yield Sleep(wait_s)
            if now() < deadline_s:
                continue
        raise error_for(result, request, attempts=requests) from result
    raise AssertionError("the last attempt returns or raises")
