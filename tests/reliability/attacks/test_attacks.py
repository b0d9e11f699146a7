"""Hostile requests through the reverse proxy, and what the experiment reports of them."""

from collections.abc import Iterator

import pandas as pd
import pytest

from perf.report.experiment import Measurement
from reliability.attacks.experiment import Attacks, send_poisoned
from reliability.attacks.poisoned_requests import poisoned_requests
from reliability.attacks.unauthenticated import attacks, flood, most_log_lines
from server.edge.access_policy import AccessPolicy
from server.edge.reverse_proxy import ReverseProxy, find_nginx, running_reverse_proxy
from tests.support.server.edge import SHOP, write_edge_files
from tests.support.tritonserver import Server

needs_nginx = pytest.mark.skipif(find_nginx() is None, reason="nginx is not installed")
POISONED = {"sent": 9, "rejected": 9, "refused": 0, "answered": 0, "lost": 0}
FLOOD = {
    **{"attack": "a", "requests": 9, "answered": 9, "seconds": 1.0, "memory_mb": 1.0, "log_lines": 0},
    **{"valid": 5, "valid_failed": 0, "died": False},
}


def measurement(deaths: int = 0, **flood: object) -> Measurement:
    poisoned = [{**POISONED, "front": False, "deaths": 1}, {**POISONED, "front": True, "deaths": deaths}]
    return Measurement(pd.DataFrame(), {"poisoned": poisoned, "floods": [FLOOD, {**FLOOD, **flood}]})


def test_same_seed_generates_the_same_requests() -> None:
    first, second = (list(poisoned_requests(seed=1, count=50)) for _ in range(2))
    assert first == second
    assert len(set(first)) == 50


@needs_nginx
def test_poisoned_requests_kill_triton_only_without_the_proxy() -> None:
    direct, proxied = (send_poisoned(seed=1, count=500, proxied=proxied) for proxied in (False, True))
    assert (direct["deaths"], proxied["deaths"]) == (1, 0)
    assert (proxied["sent"], proxied["lost"]) == (500, 0)
    assert proxied["answered"] > 0, "the hostile changes leave some requests valid"


@pytest.fixture(scope="module")
def proxy(triton: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReverseProxy]:
    files = write_edge_files(tmp_path_factory.mktemp("edge"))
    with running_reverse_proxy(triton.http_url, triton.grpc_url, AccessPolicy(clients=files.clients)) as running:
        yield running


@needs_nginx
@pytest.mark.parametrize("name", attacks())
def test_flood_without_a_token_leaves_little(triton: Server, proxy: ReverseProxy, name: str) -> None:
    row = flood(triton, proxy, SHOP, name, attacks()[name], count=100)
    assert (row["answered"], row["valid_failed"], row["died"]) == (100, 0, False)
    assert row["memory_mb"] < 64
    assert row["log_lines"] <= most_log_lines(row["seconds"])


@pytest.mark.parametrize(
    ("measured", "missed"),
    [
        (measurement(), None),
        (measurement(deaths=1), 0),
        (measurement(valid_failed=1), 1),
        (measurement(valid=0), 1),
        (measurement(memory_mb=65.0), 2),
        (measurement(log_lines=81), 3),
    ],
)
def test_goals_and_exit_code(measured: Measurement, missed: int | None) -> None:
    experiment = Attacks()
    assert [goal.met for goal in experiment.goals(measured)] == [number != missed for number in range(4)]
    assert bool(experiment.failure(measured)) == (missed == 0)
    assert experiment.table(measured).count("| yes ") == 1
