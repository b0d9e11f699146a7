"""Retries, driven without a clock or a network."""

from collections.abc import Sequence
from typing import Any

import pytest

from genderclient import (
    DeadlineExceeded,
    InferenceRequest,
    InvalidAvatar,
    Overloaded,
    Retry,
    ServerError,
    Status,
    TransportError,
    Unavailable,
)
from genderclient._flow import Attempt, Result, Send, Sleep
from genderclient._retry import RETRYABLE, Inference, RetryBudget, send_with_retries
from tests.support.client.fakes import respond_male

REQUEST = InferenceRequest(model="m", inputs=(), timeout_s=10, request_id="id")
RESPONSE = respond_male(REQUEST)
LOST = TransportError(Status.UNAVAILABLE, "gone")


class Clock:
    """Advances only when a flow sleeps or sends."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def run(
    results: Sequence[Result], *, retry: Retry | None = None, budget: RetryBudget | None = None, send_s: float = 0.0
) -> tuple[list[float], list[float], Any]:
    """Returns the timeout of each request, the waits, and the inference or error; a request takes `send_s`."""
    clock, left = Clock(), list(results)
    timeouts: list[float] = []
    waits: list[float] = []
    flow = send_with_retries(REQUEST, retry or Retry(), budget or RetryBudget(), now=clock, jitter=lambda: 1.0)
    attempt = None
    try:
        while True:
            match flow.send(attempt):
                case Send(request):
                    timeouts.append(request.timeout_s)
                    clock.now_s += send_s
                    attempt = Attempt(left.pop(0))
                case Sleep(seconds):
                    waits.append(seconds)
                    clock.now_s += seconds
    except StopIteration as end:
        return timeouts, waits, end.value
    except Exception as error:
        return timeouts, waits, error


def test_response_ends_attempts() -> None:
    assert run([RESPONSE], send_s=2) == ([10], [], Inference(response=RESPONSE, latency_s=2, requests=1))


@pytest.mark.parametrize("status", RETRYABLE)
def test_backoff_grows(status: Status) -> None:
    failures = [TransportError(status, "gone")] * 3
    timeouts, waits, inference = run([*failures, RESPONSE], retry=Retry(attempts=4), send_s=1)
    assert waits == [0.1, 0.2, 0.4]
    assert timeouts == pytest.approx([10, 8.9, 7.7, 6.3])
    assert (inference.response, inference.requests) == (RESPONSE, 4)
    assert inference.latency_s == pytest.approx(4.7)


def test_backoff_is_capped_and_jittered() -> None:
    retry = Retry(first_backoff_s=0.5, max_backoff_s=2)
    assert [retry.backoff_s(failures, 1.0) for failures in (1, 2, 3, 4)] == [0.5, 1, 2, 2]
    assert retry.backoff_s(2, 0.25) == 0.25


def test_server_says_when_to_retry() -> None:
    busy = TransportError(Status.OVERLOADED, "busy", retry_after_s=3)
    assert run([busy, RESPONSE])[1] == [3]
    assert isinstance(run([TransportError(Status.OVERLOADED, "busy", retry_after_s=60)])[2], Overloaded)


def test_last_failure_is_raised() -> None:
    timeouts, _, error = run([LOST] * 3)
    assert len(timeouts) == 3
    assert isinstance(error, Unavailable)
    assert (error.model, error.attempts, error.request_id) == ("m", 3, "id")
    assert str(error).endswith("(sent 3 times)")
    assert error.__cause__ is LOST


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (TransportError(Status.INVALID_ARGUMENT, "AVATAR: not an image"), InvalidAvatar),
        (TransportError(Status.DEADLINE_EXCEEDED, "late"), DeadlineExceeded),
        (TransportError(Status.FAILED, "stub died"), ServerError),
    ],
)
def test_permanent_failure_is_sent_once(failure: TransportError, kind: type[Exception]) -> None:
    timeouts, _, error = run([failure])
    assert (len(timeouts), type(error), error.attempts) == (1, kind, 1)


def test_single_attempt_is_not_retried() -> None:
    timeouts, _, error = run([TransportError(Status.OVERLOADED, "overloaded")], retry=Retry(attempts=1))
    assert (len(timeouts), type(error)) == (1, Overloaded)


def test_retry_stops_at_deadline() -> None:
    timeouts, waits, error = run([LOST] * 9, retry=Retry(attempts=9), send_s=6)
    assert timeouts == pytest.approx([10, 3.9])
    assert waits == [0.1]
    assert isinstance(error, Unavailable)


def test_budget_limits_retries_of_failing_servers() -> None:
    budget = RetryBudget()
    requests = [len(run([LOST] * 3, budget=budget)[0]) for _ in range(4)]
    assert requests == [3, 2, 1, 1]  # the fifth failure takes the fifth of ten tokens
    for _ in range(60):
        run([RESPONSE], budget=budget)
    assert len(run([LOST] * 3, budget=budget)[0]) == 3


def test_budget_is_not_spent_while_another_server_is_available() -> None:
    availability = iter([True] * 20 + [False] * 20)
    budget = RetryBudget(lambda: next(availability))
    assert [len(run([LOST] * 3, budget=budget)[0]) for _ in range(6)] == [3] * 6
    assert [len(run([LOST] * 3, budget=budget)[0]) for _ in range(4)] == [3, 3, 1, 1]


def test_budget_is_spent_on_overload() -> None:
    budget = RetryBudget(lambda: True)
    overloaded = [TransportError(Status.OVERLOADED, "overloaded")] * 3
    assert [len(run(overloaded, budget=budget)[0]) for _ in range(3)] == [3, 2, 1]


@pytest.mark.parametrize(
    "options", [{"attempts": 0}, {"first_backoff_s": -1}, {"first_backoff_s": 2, "max_backoff_s": 1}]
)
def test_invalid_retry_is_rejected(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Retry(**options)
