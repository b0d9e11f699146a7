"""Hedged requests: a second request when the response to the first is late. The first response wins."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

from genderclient._config.checks import check_number
from genderclient._flow import Attempt, Call, Extension, Flow, Result, Send, TaskRunner, ThreadRunner
from genderclient._questions.question import R
from genderclient._transports.base import InferenceRequest, InferenceResponse, Status

# Another server would fail likewise.
_FINAL: Final = (Status.INVALID_ARGUMENT, Status.TOO_LARGE)
# Each hedged request waits in a thread of its own.
MAX_THREADS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """Sends a request to another server too if no response arrives within `after_s` seconds.

    Choose the 95th percentile of the latency (Dean and Barroso, "The Tail at Scale", 2013).

    Args:
        after_s: Seconds before the second request.
        max_share: Limits second requests to this share of all calls: if all servers are slow, more load makes
            them slower.
    """

    after_s: float
    max_share: float = 0.05

    def __post_init__(self) -> None:
        check_number("after_s", self.after_s, "a positive number of seconds")
        check_number("max_share", self.max_share, "a share over 0, at most 1")
        if not (math.isfinite(self.after_s) and self.after_s > 0):
            raise ValueError(f"after_s: got {self.after_s}, expected a positive number of seconds")
        if not 0 < self.max_share <= 1:
            raise ValueError(f"max_share: got {self.max_share}, expected a share over 0, at most 1")

    def extension(self) -> Extension:
        return HedgedRequests(self)


class HedgeBudget:
    """Limits second requests: each request earns `max_share` of a token, each second request costs one."""

    CAPACITY: Final = 10.0

    def __init__(self, max_share: float) -> None:
        self._max_share = max_share
        self._tokens = 1.0
        self._lock = threading.Lock()

    def earn(self) -> None:
        with self._lock:
            self._tokens = min(self.CAPACITY, self._tokens + self._max_share)

    def spend(self) -> bool:
        """Takes a token, if there is one."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class HedgedRequests(Extension):
    """Replaces each `Send` of a flow by a `HedgedSend`."""

    def __init__(self, hedge: Hedge) -> None:
        self._hedge_after_s = hedge.after_s
        self._budget = HedgeBudget(hedge.max_share)
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="genderclient-hedge")

    def handle(self, call: Call[R], proceed: Callable[[Call[R]], Flow[R]]) -> Flow[R]:
        attempt: Attempt | None = None
        with closing(proceed(call)) as flow:
            while True:
                try:
                    step = flow.send(attempt)
                except StopIteration as end:
                    result: R = end.value
                    return result
                if isinstance(step, Send):
                    self._budget.earn()
                    step = HedgedSend(step.request, self._hedge_after_s, self._budget, self._threads)
                attempt = yield step

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class HedgedSend:
    """Sends a request, and after `hedge_after_s` seconds a second one if the budget allows it."""

    request: InferenceRequest
    hedge_after_s: float
    budget: HedgeBudget
    threads: ThreadPoolExecutor

    def run(self, runner: ThreadRunner) -> Attempt:
        """A request that loses ends with its response or its timeout."""
        deadline_s = time.monotonic() + self.request.timeout_s
        in_flight: set[Future[Result]] = {self.threads.submit(runner.send, self.request)}
        done, _ = wait(in_flight, self.hedge_after_s)
        if not done and (second := self._second_request(deadline_s)):
            in_flight.add(self.threads.submit(runner.send, second))
        return Attempt(_first_response(in_flight), len(in_flight))

    async def run_async(self, runner: TaskRunner) -> Attempt:
        """A request that loses is cancelled."""
        deadline_s = time.monotonic() + self.request.timeout_s
        in_flight: set[asyncio.Future[Result]] = {asyncio.ensure_future(runner.send(self.request))}
        try:
            done, _ = await asyncio.wait(in_flight, timeout=self.hedge_after_s)
            if not done and (second := self._second_request(deadline_s)):
                in_flight.add(asyncio.ensure_future(runner.send(second)))
            return Attempt(await _first_response_async(in_flight), len(in_flight))
        finally:
            for each in in_flight:
                each.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)

    def _second_request(self, deadline_s: float) -> InferenceRequest | None:
        left_s = deadline_s - time.monotonic()
        return replace(self.request, timeout_s=left_s) if left_s > 0 and self.budget.spend() else None


def _first_response(in_flight: set[Future[Result]]) -> Result:
    """Waits for the first response or refusal of the input, or for the last failure if there is neither."""
    for each in as_completed(in_flight):
        if _is_final(result := each.result()):
            break
    return result


async def _first_response_async(in_flight: set[asyncio.Future[Result]]) -> Result:
    for each in asyncio.as_completed(in_flight):
        if _is_final(result := await each):
            break
    return result


def _is_final(result: Result) -> bool:
    return isinstance(result, InferenceResponse) or result.status in _FINAL
