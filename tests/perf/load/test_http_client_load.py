"""The load generator on a real server, and on one that answers as it is told."""

import math
from collections.abc import Iterator

import pytest

from perf.load.http_client_load import HttpLoadError, Request, ask, flood, steady, triton_request
from perf.load.workload import users
from tests.support.perf.scripted import WAIT_S, scripted_server
from tests.support.tritonserver import Server

POST = Request("/", {}, b"")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with scripted_server() as port:
        yield port


def test_tritons_answers(triton: Server) -> None:
    (user,) = users(1, seed=1)
    port = int(triton.http_url.split(":")[1])
    (output,) = ask(port, triton_request("gender_mobilenet", user))["outputs"]
    assert (output["name"], output["shape"]) == ("PROBABILITIES", [1, 2])
    found = steady(port, [triton_request("gender_mobilenet", user)], clients=2, seconds=0.5)
    assert found["answers"] > 2


def test_clients_wait_for_their_answers(port: int) -> None:
    found = steady(port, [POST], clients=4, seconds=0.5)
    assert found["p50_ms"] >= 1000 * WAIT_S
    assert 4 <= found["answers"] <= 4 * (1 + 0.5 / WAIT_S)
    assert found["per_s"] <= 4 / WAIT_S


def test_a_flood_does_not_wait(port: int) -> None:
    found = flood(port, [POST], rate=200, seconds=1)
    assert 120 < found["sent_per_s"] < 280  # of which one client would get 50 answered
    assert found["p50_ms"] >= 1000 * WAIT_S
    assert (found["refused_per_s"], found["given_up_per_s"]) == (0, 0)
    assert math.isnan(found["refused_p99_ms"])


def test_a_flood_counts_who_is_refused(port: int) -> None:
    found = flood(port, [Request("/half", {}, b"")], rate=100, seconds=1)
    assert found["refused_per_s"] == pytest.approx(found["per_s"], rel=0.1)
    assert found["refused_p99_ms"] >= 1000 * WAIT_S


def test_a_flood_counts_who_gives_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.load.http_client_load.PATIENCE_S", WAIT_S / 4)
    found = flood(port, [POST], rate=50, seconds=0.5)
    assert found["given_up_per_s"] > 0
    assert found["per_s"] == 0


@pytest.mark.parametrize(
    "send",
    [
        lambda port: ask(port, Request("/500", {}, b"")),
        lambda port: steady(port, [Request("/503", {}, b"")], 1, 0.2),
        lambda port: flood(port, [Request("/400", {}, b"")], 20, 0.2),
    ],
)
def test_other_answers_are_errors(port: int, send: object) -> None:
    with pytest.raises(HttpLoadError, match=r"POST /[45]0[03]: [45]0[03]"):
        send(port)  # type: ignore[operator]
