"""The closed-loop generator on a real server and on scripted ones."""

import time

import pytest

from perf.load.http_client_load import HttpLoadError, Request, background_job, closed_loop, post_json, triton_request
from perf.load.workload import synthetic_users
from tests.support.perf.scripted import WAIT_S
from tests.support.tritonserver import Server

POST = Request("/", {}, b"")


def test_triton_answers_encoded_users(triton: Server) -> None:
    (user,) = synthetic_users(1, seed=1)
    (output,) = post_json(triton.http_url, triton_request("gender_mobilenet", user))["outputs"]
    assert (output["name"], output["shape"]) == ("PROBABILITIES", [1, 2])
    figures = closed_loop(triton.http_url, [triton_request("gender_mobilenet", user)], clients=2, seconds=0.5)
    assert figures["answers"] > 2


def test_clients_wait_for_their_answers(url: str) -> None:
    figures = closed_loop(url, [POST], clients=4, seconds=0.5)
    assert figures["p50_ms"] >= 1000 * WAIT_S
    assert 4 <= figures["answers"] <= 4 * (1 + 0.5 / WAIT_S)
    assert figures["per_s"] <= 4 / WAIT_S


def test_background_job_resends_refused_requests(url: str) -> None:
    with background_job(url, [Request("/half", {}, b"")], clients=4) as times_ms:
        deadline_s = time.monotonic() + 10
        while len(times_ms) < 5:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
    finished = len(times_ms)
    time.sleep(3 * WAIT_S)
    assert len(times_ms) == finished
    assert min(times_ms) >= 1000 * WAIT_S


def test_background_job_raises_on_exit(url: str) -> None:
    with pytest.raises(HttpLoadError, match="POST /400: 400"), background_job(url, [Request("/400", {}, b"")], 2):
        time.sleep(3 * WAIT_S)


@pytest.mark.parametrize(
    "send",
    [
        lambda url: post_json(url, Request("/500", {}, b"")),
        lambda url: closed_loop(url, [Request("/503", {}, b"")], 1, 0.2),
    ],
)
def test_other_statuses_are_errors(url: str, send: object) -> None:
    with pytest.raises(HttpLoadError, match=r"POST /50[03]: 50[03]"):
        send(url)  # type: ignore[operator]
