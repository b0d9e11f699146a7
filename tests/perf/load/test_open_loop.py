"""The open-loop generator on a real server, on scripted ones, and on one that never answers."""

import math
import socketserver
import threading
from collections import Counter

import numpy as np
import pytest

from perf.load.http_client_load import HttpLoadError, Request, triton_request
from perf.load.open_loop import LOST, RateStep, RequestResult, open_loop, summarize
from perf.load.workload import synthetic_users
from tests.support.perf.scripted import WAIT_S
from tests.support.tritonserver import Server

POST = Request("/", {}, b"")


def test_triton_answers_every_request(triton: Server) -> None:
    requests = [triton_request("gender_mobilenet", user) for user in synthetic_users(8, seed=1)]
    results = open_loop(triton.http_url, requests, [RateStep(40, 0.5)], seed=1)
    assert len(results) > 5
    assert {result.status for result in results} == {200}
    assert all(result.took_ms > 0.5 for result in results)


def test_requests_arrive_at_the_rate_of_each_step(url: str) -> None:
    results = open_loop(url, [POST], [RateStep(20, 0.5), RateStep(400, 0.5), RateStep(20, 0.5)], seed=1)
    counts = np.histogram([result.due_s for result in results], [0, 0.5, 1, 1.5])[0]
    assert counts.sum() == len(results)
    assert 130 < counts[1] < 270
    assert counts[0] < 25 > counts[2]
    assert {result.status for result in results} == {200}
    assert min(result.took_ms for result in results) >= 1000 * WAIT_S


def test_seed_determines_the_arrivals(url: str) -> None:
    runs = [open_loop(url, [POST], [RateStep(40, 0.3)], seed) for seed in (1, 1, 2)]
    first, again, other = (sorted(result.due_s for result in run) for run in runs)
    assert first == again != other


def test_refusals_are_counted_apart_from_answers(url: str) -> None:
    results = open_loop(url, [Request("/half", {}, b"")], [RateStep(100, 0.5)], seed=1)
    counts = Counter(result.status for result in results)
    assert counts.keys() == {200, 503}
    assert abs(counts[200] - counts[503]) <= 1


def test_large_requests_are_sent_in_parts(url: str) -> None:
    results = open_loop(url, [Request("/", {}, bytes(5_000_000))], [RateStep(20, 0.3)], seed=1)
    assert {result.status for result in results} == {200}


def test_late_answers_are_lost(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.load.open_loop.GIVE_UP_S", WAIT_S / 4)
    results = open_loop(url, [POST], [RateStep(50, 0.3)], seed=1)
    assert {result.status for result in results} == {LOST}


def test_requests_on_closed_connections_are_lost() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        results = open_loop(f"127.0.0.1:{server.server_address[1]}", [POST], [RateStep(50, 0.3)], seed=1)
        server.shutdown()
    assert len(results) > 3
    assert {result.status for result in results} == {LOST}


def test_other_statuses_are_errors(url: str) -> None:
    with pytest.raises(HttpLoadError, match=r"expected 200 or 503, got 400 "):
        open_loop(url, [Request("/400", {}, b"")], [RateStep(50, 0.2)], seed=1)


def test_summary_has_rates_and_percentiles_by_status() -> None:
    results = [RequestResult(0, 0, 200, took_ms) for took_ms in (1, 2, 3)] + [RequestResult(0, 0, LOST, 5000)]
    summary = summarize(results, seconds=2)
    rates = [summary[name] for name in ("sent_per_s", "per_s", "refused_per_s", "given_up_per_s", "p50_ms")]
    assert rates == [2, 1.5, 0, 0.5, 2]
    assert math.isnan(summary["refused_p99_ms"])
