"""A chunk of a table, on a server that is unavailable or overloaded."""

import threading
import time
from collections import Counter
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
from genderclient.tables import chunks
from genderclient.tables.chunks import ChunkScorer
from genderclient.tables.users import UserReader
from tests.support.client.fakes import failing, respond_male

ROWS = [{"nickname": f"n{number}"} for number in range(40)]
SCORER = ChunkScorer(UserReader(Path()), concurrency=8)
ONCE = Retry(attempts=1)


def test_overload_halves_concurrency() -> None:
    places = threading.Semaphore(2)
    advances: list[int] = []

    def respond(request: InferenceRequest) -> InferenceResponse:
        if not places.acquire(blocking=False):
            raise TransportError(Status.OVERLOADED, "overloaded")
        try:
            time.sleep(0.002)
            return respond_male(request)
        finally:
            places.release()

    with Client(transport=FakeTransport(respond), retry=ONCE) as client:
        results = SCORER.score(client, ROWS, 100, advance=advances.append)
    assert [row["row"] for row in results] == list(range(100, 140))
    assert sum(advances) == 40
    assert min(advances) <= 0


def test_requests_in_flight_end_before_the_chunk_starts_again() -> None:
    lock, second, counts, at_restart = threading.Lock(), threading.Event(), Counter[str](), list[int]()

    def respond(request: InferenceRequest) -> InferenceResponse:
        with lock:
            counts.update(["in flight", "started"])
            number = counts["started"]
        try:
            if number == 1:
                assert second.wait(10)
                raise TransportError(Status.OVERLOADED, "overloaded")
            second.set()
            time.sleep(0.2 if number <= SCORER.concurrency else 0)
            return respond_male(request)
        finally:
            with lock:
                counts["in flight"] -= 1

    def advance(count: int) -> None:
        if count <= 0:
            at_restart.append(counts["in flight"])

    with Client(transport=FakeTransport(respond), retry=ONCE) as client:
        assert len(SCORER.score(client, ROWS, 0, advance=advance)) == 40
    assert at_restart == [0]


def test_outage_restarts_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genderclient._client.POLL_S", 0.01)
    failures = [TransportError(Status.UNAVAILABLE, "away")] * 3

    def respond(request: InferenceRequest) -> InferenceResponse:
        if failures:
            raise failures.pop()
        return respond_male(request)

    with Client(transport=FakeTransport(respond), retry=ONCE) as client:
        assert len(SCORER.score(client, ROWS, 0)) == 40


@pytest.mark.parametrize(("status", "error"), [(Status.OVERLOADED, Overloaded), (Status.UNAVAILABLE, Unavailable)])
def test_lasting_failure_raises(status: Status, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "OUTAGE_TIMEOUT_S", 0.3)
    with Client(transport=failing(status), retry=ONCE) as client, pytest.raises(error):
        SCORER.score(client, ROWS, 0)
