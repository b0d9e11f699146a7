"""The tally of requests to a fake server."""

import threading
from collections.abc import Callable
from itertools import count
from random import Random

from genderclient import Client, FakeTransport, InferenceRequest, InferenceResponse, Status, TransportError, User
from reliability.faults.load import ModelTraffic, Tally, differ
from tests.support.client.fakes import OUTPUTS, respond_male

SENT = 40
EXPECTED = (*OUTPUTS["PROBABILITIES"], *OUTPUTS["WEIGHTS"])


def tally_of(respond: Callable[[InferenceRequest], InferenceResponse], expected: tuple[float, ...] = EXPECTED) -> Tally:
    """Send at least `SENT` requests; `expected` is the reference of the second of two users."""
    stop, numbers = threading.Event(), count(1)

    def respond_and_stop(request: InferenceRequest) -> InferenceResponse:
        if next(numbers) == SENT:
            stop.set()
        return respond(request)

    reference = {("one", 0): EXPECTED, ("one", 1): expected}
    traffic = ModelTraffic("one", [User(nickname="a"), User(nickname="b")], reference, 200, Random(1), stop)
    with Client(transport=FakeTransport(respond_and_stop)) as client:
        return traffic.run(client)


def failing(error: TransportError, numbers: Callable[[int], bool]) -> Callable[[InferenceRequest], InferenceResponse]:
    """Raise for the requests whose number, from 1, `numbers` selects."""
    counter = count(1)

    def respond(request: InferenceRequest) -> InferenceResponse:
        if numbers(next(counter)):
            raise error
        return respond_male(request)

    return respond


def test_correct_answers_are_neither_lost_nor_wrong() -> None:
    tally = tally_of(respond_male)
    assert tally.sent == len(tally.seconds) >= SENT
    assert +tally.lost == {}
    assert (tally.wrong, tally.retried) == (0, 0)


def test_wrong_answers_are_counted() -> None:
    tally = tally_of(respond_male, expected=(0.7, 0.3, 0.5, 0.5))
    assert 0 < tally.wrong < tally.sent


def test_lost_requests_are_counted_by_error() -> None:
    tally = tally_of(failing(TransportError(Status.FAILED, "failed"), lambda number: number % 4 == 0))
    assert tally.lost["ServerError"] == tally.sent - len(tally.seconds) > 0


def test_successful_retry_is_not_a_loss() -> None:
    tally = tally_of(failing(TransportError(Status.UNAVAILABLE, "gone"), lambda number: number == 10))
    assert +tally.lost == {}
    assert tally.retried == 1


def test_tallies_add_up() -> None:
    total, one = Tally(), tally_of(respond_male)
    total.add(one)
    total.add(one)
    assert total.sent == 2 * one.sent
    assert total.seconds == one.seconds * 2


def test_predictions_differ_beyond_tolerance() -> None:
    assert not differ((0.5, 0.5), (0.50005, 0.49995))
    assert differ((0.5, 0.5), (0.51, 0.49))
    assert differ((float("nan"), 0.5), (0.5, 0.5))
