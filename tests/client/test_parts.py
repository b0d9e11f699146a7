"""A part of a table, before a server that is away or takes no more."""

import threading
import time
from pathlib import Path

import pytest

from genderclient import (
    Client,
    FakeTransport,
    InferenceRequest,
    InferenceResponse,
    Overloaded,
    Retry,
    Status,
    TransportError,
    Unavailable,
)
from genderclient._cli import parts
from genderclient._cli.columns import Columns
from genderclient._cli.parts import Scorer
from tests.support.client.fakes import answer

ROWS = [{"nickname": f"n{number}"} for number in range(40)]
SCORER = Scorer(columns=Columns(avatar="avatar", nickname="nickname", id=None), pictures=Path(), concurrency=8)


class Narrow:
    """Takes so many requests at once, and refuses the others."""

    def __init__(self, places: int) -> None:
        self._places = threading.Semaphore(places) if places else None

    def __call__(self, request: InferenceRequest) -> InferenceResponse:
        if self._places is None or not self._places.acquire(blocking=False):
            raise TransportError(Status.OVERLOADED, "overloaded")
        try:
            time.sleep(0.002)
            return answer(request)
        finally:
            self._places.release()


def test_who_takes_no_more_is_asked_for_less_at_once() -> None:
    ticks: list[int] = []
    with Client(transport=FakeTransport(Narrow(2)), retry=Retry(attempts=1)) as client:
        rows = SCORER.score(client, ROWS, 100, tick=ticks.append)
    assert [row["row"] for row in rows] == list(range(100, 140))
    assert sum(ticks) == 40
    assert min(ticks) <= 0  # what was done in vain is taken back


def test_who_takes_nothing_ends_it() -> None:
    with Client(transport=FakeTransport(Narrow(0)), retry=Retry(attempts=1)) as client, pytest.raises(Overloaded):
        SCORER.score(client, ROWS, 0)


def test_who_comes_back_is_asked_for_the_whole_part_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genderclient._client.POLL_S", 0.01)
    failures = [TransportError(Status.UNAVAILABLE, "away")] * 3

    def respond(request: InferenceRequest) -> InferenceResponse:
        if failures:
            raise failures.pop()
        return answer(request)

    with Client(transport=FakeTransport(respond), retry=Retry(attempts=1)) as client:
        assert len(SCORER.score(client, ROWS, 0)) == 40


def test_who_stays_away_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "AWAY_S", 0.3)

    def respond(request: InferenceRequest) -> InferenceResponse:
        raise TransportError(Status.UNAVAILABLE, "away")

    with Client(transport=FakeTransport(respond)) as client, pytest.raises(Unavailable):
        SCORER.score(client, ROWS, 0)
