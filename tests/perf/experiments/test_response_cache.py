"""Repeated requests on a real server with a response cache."""

import time
from collections.abc import Iterator

import pandas as pd
import pytest

from genderclient import Client
from perf.experiments import response_cache
from perf.experiments.response_cache import CACHE, CACHING, ResponseCache
from perf.load.perf_analyzer import PROTOCOLS, successes
from perf.report.experiment import Measurement
from tests.support.markdown import cells
from tests.support.perf.arguments import short
from tests.support.tritonserver import Server, running_gender_models


@pytest.fixture(scope="module")
def caching() -> Iterator[Server]:
    with running_gender_models(CACHE) as server:
        yield server


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_repeated_requests_run_no_model(caching: Server, protocol: str) -> None:
    url = f"{protocol}://{caching.grpc_url if protocol == 'grpc' else caching.http_url}"
    before = successes(caching, "mobilenet")
    with Client(url) as client:
        first = client.predict(nickname=f"小美{protocol}")
        again = [client.predict(nickname=f"小美{protocol}", embedding=True) for _ in range(5)]
        other = client.predict(nickname=f"X国强{protocol}")
        assert client.predict(nickname=f"小美{protocol}", model="gender_densenet").model == "gender_densenet"
    assert {prediction.probabilities for prediction in again} == {first.probabilities}
    assert all(prediction.embedding for prediction in again)
    assert other.probabilities != first.probabilities
    # Triton updates its metrics after it has answered.
    deadline_s = time.monotonic() + 5
    while (runs := successes(caching, "mobilenet") - before) < 2 and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert runs == 2


def test_both_servers_are_measured_with_both_protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_cache, "gender_ensembles", lambda: {"mobilenet": "gender_mobilenet"})
    rows = ResponseCache().measure(short(users=4, seconds=0.3)).rows
    p50_ms = rows.pivot_table(index=["model", "protocol"], columns="server", values="p50_ms")
    assert len(p50_ms) == len(PROTOCOLS)
    assert (p50_ms[[CACHING, "without a cache"]] > 0).all(axis=None)


def test_goal_and_table_have_the_median_of_the_rounds() -> None:
    figures = {"p99_ms": 2.0, "per_s": 900.0, "cpu_ms": 0.1}
    rows = pd.DataFrame(
        {"round": number, "model": "mobilenet", "protocol": "grpc", "server": CACHING, "p50_ms": p50_ms, **figures}
        for number, p50_ms in enumerate((0.2, 0.4, 0.3))
    )
    measurement = Measurement(rows, {})
    (goal,) = ResponseCache().goals(measurement)
    assert (goal.figure, goal.met) == ("0.30 ms", True)
    expected = ["mobilenet", "grpc", CACHING, "0.30 (0.20 to 0.40)", "2.00", "0.10"]
    assert cells(ResponseCache().table(measurement))[1] == expected
