"""Repeats from the response cache of a real server."""

import time
from collections.abc import Iterator

import pandas as pd
import pytest

from genderclient import Client
from perf.experiments.response_cache import CACHE, CACHING, compare, markdown, summarize
from perf.load.perf_analyzer import PROTOCOLS, answered
from perf.load.workload import users
from tests.support.tritonserver import ROOT, Server, running_triton


@pytest.fixture(scope="module")
def caching() -> Iterator[Server]:
    with running_triton(ROOT / "model_repository", CACHE) as server:
        yield server


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_repeat_is_the_same_answer_and_asks_no_model(caching: Server, protocol: str) -> None:
    url = f"{protocol}://{caching.grpc_url if protocol == 'grpc' else caching.http_url}"
    asked = answered(caching, "mobilenet")
    with Client(url) as client:
        first = client.predict(nickname=f"小美{protocol}")
        again = [client.predict(nickname=f"小美{protocol}", embedding=True) for _ in range(5)]
        other = client.predict(nickname=f"X国强{protocol}")
        assert client.predict(nickname=f"小美{protocol}", model="gender_densenet").model == "gender_densenet"
    assert {prediction.probabilities for prediction in again} == {first.probabilities}
    assert all(prediction.embedding for prediction in again)
    assert other.probabilities != first.probabilities
    # Triton counts after it has answered.
    deadline_s = time.monotonic() + 5
    while (found := answered(caching, "mobilenet") - asked) < 2 and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert found == 2


def test_repeats_are_faster(triton: Server, caching: Server) -> None:
    rows = compare({"without a cache": triton, CACHING: caching}, users(4, seed=1), rounds=1, seconds=0.3)
    p50 = rows.pivot_table(index=["model", "protocol"], columns="server", values="p50_ms")
    assert len(p50) == 4
    assert (p50[CACHING] < p50["without a cache"]).all()


def test_the_document() -> None:
    figures = {"p99_ms": 2.0, "per_s": 900.0, "cpu_ms": 0.1}
    rows = pd.DataFrame(
        {"round": number, "model": "mobilenet", "protocol": "grpc", "server": CACHING, "p50_ms": p50, **figures}
        for number, p50 in enumerate((0.2, 0.4, 0.3))
    )
    assert f"| mobilenet | grpc | {CACHING} | 0.30 (0.20 to 0.40) | 2.00 | 0.10 |" in markdown(summarize(rows))
