"""A second request where the answer is late: by hand, by threads and by tasks."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    Client,
    FakeTransport,
    Hedge,
    InferenceRequest,
    InferenceResponse,
    Status,
    TransportError,
    Unavailable,
)
from genderclient._retry import Outcome, Retry, RetryBudget, Send, Wait, steps
from genderclient.hedging import HedgeBudget
from tests.support.client.fakes import answer

REQUEST = InferenceRequest(model="m", inputs=(), timeout_s=10, request_id="id")
GONE = TransportError(Status.UNAVAILABLE, "gone")


def run(outcomes: list[Outcome], budget: HedgeBudget, late_s: float = 0.5) -> tuple[list[Any], Any]:
    """The steps, and the answer or error; whatever is late takes `late_s`."""
    now_s, taken = 100.0, []
    flow = steps(REQUEST, Retry(attempts=1), RetryBudget(), budget, now=lambda: now_s)
    outcome: Outcome = None
    try:
        while True:
            taken.append(flow.send(outcome))
            outcome = outcomes.pop(0)
            now_s += late_s if outcome is None else 0
    except StopIteration as end:
        return taken, end.value
    except Unavailable as error:
        return taken, error


def test_an_answer_in_time_is_asked_for_once() -> None:
    taken, found = run([answer(REQUEST)], HedgeBudget(Hedge(after_s=0.5)))
    assert [(step.request.timeout_s, step.patience_s) for step in taken] == [(10, 0.5)]
    assert found.attempts == 1


def test_a_late_answer_is_asked_for_twice_within_the_same_deadline() -> None:
    taken, found = run([None, answer(REQUEST)], HedgeBudget(Hedge(after_s=0.5)))
    assert [(step.request.timeout_s, step.patience_s) for step in taken] == [(10, 0.5), (9.5, None)]
    assert (found.attempts, found.latency_s) == (2, 0.5)


def test_there_is_no_second_request_after_the_deadline() -> None:
    taken, found = run([None, GONE], HedgeBudget(Hedge(after_s=10)), late_s=10)
    assert [type(step) for step in taken] == [Send, Wait]
    assert isinstance(found, Unavailable)


def test_the_budget_keeps_the_share() -> None:
    budget = HedgeBudget(Hedge(after_s=0.5, max_share=0.125))
    hedged = [
        len([step for step in run([None, answer(REQUEST)], budget)[0] if isinstance(step, Send)]) - 1
        for _ in range(200)
    ]
    assert sum(hedged) == 26  # one to begin with, and an eighth of 200


@pytest.mark.parametrize("options", [{"after_s": 0}, {"after_s": float("nan")}, {"after_s": 1, "max_share": 0}])
def test_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Hedge(**options)


class Slow:
    """The first of each pair of requests waits until it is let go; the second is answered, or fails, at once."""

    def __init__(self, second: InferenceResponse | TransportError | None = None) -> None:
        self.timeouts: list[float] = []
        self.released = threading.Event()
        self._second = second

    def __call__(self, request: InferenceRequest) -> InferenceResponse:
        self.timeouts.append(request.timeout_s)
        if len(self.timeouts) == 1:
            self.released.wait(10)
            return answer(request)
        if isinstance(self._second, TransportError):
            self.released.set()
            raise self._second
        return answer(request)


def test_threads_take_the_first_answer() -> None:
    slow = Slow()
    with Client(transport=FakeTransport(slow), hedge=Hedge(after_s=0.05)) as client:
        prediction = client.predict(nickname="小美")
        assert not slow.released.is_set()
        assert (prediction.attempts, len(slow.timeouts)) == (2, 2)
        slow.released.set()


def test_a_failure_waits_for_the_other() -> None:
    slow = Slow(GONE)
    with Client(transport=FakeTransport(slow), hedge=Hedge(after_s=0.05)) as client:
        assert client.predict(nickname="小美").attempts == 2


def test_many_threads_hedge_at_once() -> None:
    with Client(transport=FakeTransport(answer), hedge=Hedge(after_s=0.05)) as client, ThreadPoolExecutor(32) as pool:
        assert {p.gender for p in pool.map(lambda _: client.predict(nickname="小美"), range(500))} == {"male"}


def test_tasks_take_the_first_answer_and_cancel_the_other() -> None:
    cancelled = []

    async def respond(request: InferenceRequest) -> InferenceResponse:
        if len(seen) == 0:
            seen.append(request)
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                cancelled.append(request)
                raise
        return answer(request)

    async def ask() -> int:
        async with AsyncClient(transport=AsyncFakeTransport(respond), hedge=Hedge(after_s=0.05)) as client:
            return (await client.predict(nickname="小美")).attempts

    seen: list[InferenceRequest] = []
    started_s = time.monotonic()
    assert asyncio.run(ask()) == 2
    assert cancelled == seen
    assert time.monotonic() - started_s < 5
