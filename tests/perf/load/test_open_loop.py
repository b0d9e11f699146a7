"""The cheap generator on a real Triton, and on servers that answer as they are told, or not at all."""

import socketserver
import threading
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from perf.load.http_client_load import HttpLoadError, Request, triton_request
from perf.load.open_loop import LOST, Phase, storm
from perf.load.workload import users
from tests.support.perf.scripted import WAIT_S, scripted_server
from tests.support.tritonserver import Server


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with scripted_server() as port:
        yield port


def test_triton_answers_all(triton: Server) -> None:
    requests = [triton_request("gender_mobilenet", user) for user in users(8, seed=1)]
    found = storm(int(triton.http_url.split(":")[1]), requests, [Phase(40, 0.5)], seed=1)
    assert len(found) > 5
    assert {outcome.status for outcome in found} == {200}
    assert all(outcome.took_ms > 0.5 for outcome in found)


def test_phases_have_their_rates(port: int) -> None:
    phases = [Phase(20, 0.5), Phase(400, 0.5), Phase(20, 0.5)]
    found = storm(port, [Request("/", {}, b"")], phases, seed=1)
    counts = np.histogram([outcome.due_s for outcome in found], [0, 0.5, 1, 1.5])[0]
    assert counts.sum() == len(found)
    assert 130 < counts[1] < 270
    assert counts[0] < 25 > counts[2]
    assert {outcome.status for outcome in found} == {200}
    assert min(outcome.took_ms for outcome in found) >= 1000 * WAIT_S


def test_the_same_seed_sends_at_the_same_times(port: int) -> None:
    runs = [storm(port, [Request("/", {}, b"")], [Phase(40, 0.3)], seed) for seed in (1, 1, 2)]
    first, again, other = (sorted(outcome.due_s for outcome in run) for run in runs)
    assert first == again != other


def test_refusals_are_told_from_answers(port: int) -> None:
    found = storm(port, [Request("/half", {}, b"")], [Phase(100, 0.5)], seed=1)
    counts = Counter(outcome.status for outcome in found)
    assert counts.keys() == {200, 503}
    assert abs(counts[200] - counts[503]) <= 1


def test_what_does_not_fit_at_once_is_sent_in_parts(port: int) -> None:
    found = storm(port, [Request("/", {}, bytes(5_000_000))], [Phase(20, 0.3)], seed=1)
    assert {outcome.status for outcome in found} == {200}


def test_who_is_not_answered_gives_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.load.open_loop.PATIENCE_S", WAIT_S / 4)
    found = storm(port, [Request("/", {}, b"")], [Phase(50, 0.3)], seed=1)
    assert {outcome.status for outcome in found} == {LOST}


def test_a_server_that_hangs_up_has_lost_the_request() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = storm(server.server_address[1], [Request("/", {}, b"")], [Phase(50, 0.3)], seed=1)
        server.shutdown()
    assert len(found) > 3
    assert {outcome.status for outcome in found} == {LOST}


def test_other_answers_are_errors(port: int) -> None:
    with pytest.raises(HttpLoadError, match=r"^400 "):
        storm(port, [Request("/400", {}, b"")], [Phase(50, 0.2)], seed=1)
