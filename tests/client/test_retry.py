"""What is sent again, when, and when no more; driven by hand, without a clock or a network."""

from collections.abc import Sequence
from typing import Any

import pytest

from genderclient import (
    DeadlineExceeded,
    InferenceRequest,
    InferenceResponse,
    InvalidAvatar,
    Overloaded,
    Retry,
    ServerError,
    Status,
    TransportError,
    Unavailable,
)
from genderclient._retry import RETRYABLE, Answer, RetryBudget, Send, Sleep, steps
from tests.support.client.fakes import answer

REQUEST = InferenceRequest(model="m", inputs=(), timeout_s=10, request_id="id")
THRICE = Retry()
GONE = TransportError(Status.UNAVAILABLE, "gone")


class Clock:
    """Passes only when somebody sleeps, or is said to work."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def run(
    outcomes: Sequence[InferenceResponse | TransportError],
    *,
    retry: Retry = THRICE,
    budget: RetryBudget | None = None,
    work_s: float = 0.0,
) -> tuple[list[float], list[float], Any]:
    """The timeout of each sending, the waits, and the response or error in the end; each sending takes `work_s`."""
    clock, left = Clock(), list(outcomes)
    timeouts: list[float] = []
    waits: list[float] = []
    flow = steps(REQUEST, retry, budget or RetryBudget(), now=clock, share=lambda: 1.0)
    outcome = None
    try:
        while True:
            step = flow.send(outcome)
            if isinstance(step, Send):
                timeouts.append(step.request.timeout_s)
                clock.now_s += work_s
                outcome = left.pop(0)
            else:
                assert isinstance(step, Sleep)
                waits.append(step.seconds)
                clock.now_s += step.seconds
    except StopIteration as end:
        return timeouts, waits, end.value
    except Exception as error:
        return timeouts, waits, error


def test_a_response_ends_it() -> None:
    response = answer(REQUEST)
    assert run([response], work_s=2) == (
        [10],
        [],
        Answer(response=response, latency_s=2, attempts=1, request_id="id"),
    )


@pytest.mark.parametrize("status", RETRYABLE)
def test_who_got_no_answer_asks_again_later_each_time(status: Status) -> None:
    response = answer(REQUEST)
    failures = [TransportError(status, "gone")] * 3
    timeouts, waits, result = run([*failures, response], retry=Retry(attempts=4), work_s=1)
    assert waits == [0.1, 0.2, 0.4]
    assert timeouts == pytest.approx([10, 8.9, 7.7, 6.3])
    assert (result.response, result.attempts) == (response, 4)
    assert result.latency_s == pytest.approx(4.7)


def test_waits_are_capped_and_drawn() -> None:
    retry = Retry(first_backoff_s=0.5, max_backoff_s=2)
    assert [retry.backoff_s(failures, 1.0) for failures in (1, 2, 3, 4)] == [0.5, 1, 2, 2]
    assert retry.backoff_s(2, 0.25) == 0.25


def test_attempts_end() -> None:
    timeouts, _, error = run([GONE] * 3)
    assert len(timeouts) == 3
    assert isinstance(error, Unavailable)
    assert (error.model, error.attempts, error.request_id) == ("m", 3, "id")
    assert str(error).endswith("(sent 3 times)")
    assert error.__cause__ is GONE


def test_overload_has_an_error_of_its_own() -> None:
    _, _, error = run([TransportError(Status.OVERLOADED, "overloaded")], retry=Retry(attempts=1))
    assert isinstance(error, Overloaded)
    assert "ask later, or fewer at once" in str(error)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (TransportError(Status.INVALID_ARGUMENT, "AVATAR: not an image"), InvalidAvatar),
        (TransportError(Status.DEADLINE_EXCEEDED, "late"), DeadlineExceeded),
        (TransportError(Status.FAILED, "stub died"), ServerError),
    ],
)
def test_what_would_fail_again_is_sent_once(failure: TransportError, kind: type[Exception]) -> None:
    timeouts, _, error = run([failure])
    assert (len(timeouts), type(error), error.attempts) == (1, kind, 1)


def test_the_deadline_covers_everything() -> None:
    timeouts, waits, error = run([GONE] * 9, retry=Retry(attempts=9), work_s=6)
    assert timeouts == pytest.approx([10, 3.9])
    assert waits == [0.1]
    assert isinstance(error, Unavailable)


def test_a_budget_stops_a_client_whose_servers_fail() -> None:
    budget = RetryBudget()
    sent = [len(run([GONE] * 3, budget=budget)[0]) for _ in range(4)]
    assert sent == [3, 2, 1, 1]  # five tokens are gone with the fifth failure
    for _ in range(60):
        run([answer(REQUEST)], budget=budget)
    assert len(run([GONE] * 3, budget=budget)[0]) == 3


def test_the_budget_is_for_servers_that_all_fail() -> None:
    others = iter([True] * 20 + [False] * 20)
    budget = RetryBudget(lambda: next(others))
    assert [len(run([GONE] * 3, budget=budget)[0]) for _ in range(6)] == [3] * 6
    assert [len(run([GONE] * 3, budget=budget)[0]) for _ in range(4)] == [3, 3, 1, 1]
    busy = RetryBudget(lambda: True)
    crowded = [TransportError(Status.OVERLOADED, "overloaded")] * 3
    assert [len(run(crowded, budget=busy)[0]) for _ in range(3)] == [3, 2, 1]


@pytest.mark.parametrize(
    "options", [{"attempts": 0}, {"first_backoff_s": -1}, {"first_backoff_s": 2, "max_backoff_s": 1}]
)
def test_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Retry(**options)
