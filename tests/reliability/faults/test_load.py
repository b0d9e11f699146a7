"""What is counted: a stream of users over a server that is a function."""

import threading
from collections.abc import Callable
from itertools import count
from random import Random

from genderclient import Client, FakeTransport, InferenceRequest, InferenceResponse, Status, TransportError, User
from reliability.faults.load import Stream, Tally
from tests.support.client.fakes import ANSWER, answer

SENT = 40
EXPECTED = (*ANSWER["PROBABILITIES"], *ANSWER["WEIGHTS"])


def tally(respond: Callable[[InferenceRequest], InferenceResponse], expected: tuple[float, ...] = EXPECTED) -> Tally:
    """Of so many requests to one model."""
    stop, numbers = threading.Event(), count(1)

    def answer_and_stop(request: InferenceRequest) -> InferenceResponse:
        if next(numbers) == SENT:
            stop.set()
        return respond(request)

    stream = Stream("one", [User(nickname="a"), User(nickname="b")], {}, 200, Random(1), stop)
    stream.expected = {("one", 0): EXPECTED, ("one", 1): expected}
    with Client(transport=FakeTransport(answer_and_stop)) as client:
        return stream.run(client)


def test_all_is_well() -> None:
    found = tally(answer)
    assert found.sent == len(found.seconds) >= SENT
    assert +found.lost == {}
    assert (found.doubled, found.wrong, found.retried) == (0, 0, 0)


def test_a_wrong_answer_is_seen() -> None:
    found = tally(answer, expected=(0.7, 0.3, 0.5, 0.5))
    assert 0 < found.wrong < found.sent


def test_what_is_lost_is_named() -> None:
    numbers = count()

    def respond(request: InferenceRequest) -> InferenceResponse:
        if next(numbers) % 4 == 0:
            raise TransportError(Status.FAILED, "no luck")
        return answer(request)

    found = tally(respond)
    assert found.lost["ServerError"] == found.sent - len(found.seconds) > 0


def test_a_second_try_is_no_loss() -> None:
    numbers = count(1)

    def respond(request: InferenceRequest) -> InferenceResponse:
        if next(numbers) == 10:
            raise TransportError(Status.UNAVAILABLE, "gone")
        return answer(request)

    found = tally(respond)
    assert +found.lost == {}
    assert found.retried == 1


def test_tallies_add_up() -> None:
    together, one = Tally(), tally(answer)
    together.add(one)
    together.add(one)
    assert together.sent == 2 * one.sent
    assert together.seconds == one.seconds * 2
