"""A short overload of real servers, and the figures of a synthetic one."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from perf.load.workload import synthetic_users
from perf.report.experiment import Measurement
from reliability.overload.experiment import Overload
from reliability.overload.flood import Best, Flood, by_second, flood_all, recovery_s, summarize
from server.edge.reverse_proxy import find_nginx
from tests.support.tritonserver import Server


def requests(took_ms: float, status: int, begin: float, end: float, per_s: int) -> pd.DataFrame:
    due = np.arange(begin, end, 1 / per_s)
    return pd.DataFrame({"due_s": due, "late_ms": 0.5, "status": status, "took_ms": took_ms})


# At most 100 a second, while others take 0.1 of 2 cores. 10 a second for 4 s, 1,000 for 10 s, then 10 for 10 s,
# of which the first 2 s are slow.
FLOOD = Flood(
    "mobilenet",
    best=Best(per_s=100, cores=1.9),
    before_s=4,
    flood_s=10,
    requests=pd.concat(
        [
            requests(10, 200, 0, 4, 10),
            requests(40, 200, 4, 14, 95),
            requests(2, 503, 4, 14, 905),
            requests(30, 200, 14, 16, 10),
            requests(12, 200, 16, 24, 10),
        ],
        ignore_index=True,
    ),
    cpu=pd.DataFrame(
        {
            "seconds": [0, 4, 14, 24],
            "triton_s": [0, 1, 17, 18],
            "nginx_s": [0, 0, 1, 1],
            "generator_s": [0, 0, 2, 2],
            "others_s": [5, 5, 6, 6],
        }
    ),
)


def goals_met(**changes: Any) -> list[bool]:
    arm = {**summarize(FLOOD, cores=2), **changes}
    return [goal.met for goal in Overload().goals(Measurement(pd.DataFrame(), {"arms": [arm]}))]


def test_summary() -> None:
    arm = summarize(FLOOD, cores=2)
    assert (arm["idle_p99_ms"], arm["p99_ms"], arm["refused_p99_ms"]) == pytest.approx((10, 40, 2))
    assert (arm["sent_per_s"], arm["answered_per_s"], arm["refused_per_s"]) == pytest.approx((1000, 95, 905), rel=0.01)
    assert (arm["kept"], arm["times"]) == pytest.approx((0.95, 10), rel=0.01)
    assert (arm["triton_cores"], arm["nginx_cores"]) == pytest.approx((1.6, 0.1))
    assert (arm["generator_cores"], arm["others_cores"]) == pytest.approx((0.2, 0.1))
    assert (arm["left"], arm["best_left"]) == pytest.approx((0.8, 0.95))
    assert arm["back_s"] == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({}, None),
        ({"p99_ms": 51.0}, 0),
        ({"refused_p99_ms": 51.0}, 1),
        ({"lost_per_s": 0.1}, 1),
        ({"refused_per_s": 0.0}, 1),
        ({"kept": 0.79}, 2),  # 0.94 of 0.8 / 0.95
        ({"back_s": 5.1}, 3),
        ({"back_s": None}, 3),
    ],
)
def test_goals(change: dict[str, Any], missed: int | None) -> None:
    assert goals_met(**change) == [number != missed for number in range(4)]


def test_rows_by_second() -> None:
    rows = by_second(FLOOD).set_index("second")
    assert list(rows.index) == list(range(-4, 20))
    during = rows.loc[3]
    assert [during[name] for name in ("sent", "answered", "refused", "lost")] == [1000, 95, 905, 0]
    assert during["triton_cores"] == pytest.approx(1.6)
    assert rows.loc[-1]["answered"] == 10


def test_refused_or_slow_requests_delay_recovery() -> None:
    table = FLOOD.requests.copy()
    assert recovery_s(table, 14, limit_ms=30) == 0
    table.loc[(table["due_s"] > 20) & (table["due_s"] < 20.2), "status"] = 503
    assert recovery_s(table, 14, limit_ms=12) == pytest.approx(2, abs=0.15)
    assert recovery_s(table, 19.5, limit_ms=12) == pytest.approx(0.7, abs=0.15)
    assert np.isnan(recovery_s(table, 14, limit_ms=11))


@pytest.mark.skipif(find_nginx() is None, reason="nginx is not installed")
def test_real_server_refuses_and_loses_nothing(triton: Server) -> None:
    models = {"mobilenet": "gender_mobilenet"}
    users = synthetic_users(8, seed=1)
    (flood,) = flood_all(triton, models, users, seed=1, flood_s=2, around_s=1.5, in_flight=16)
    arm = summarize(flood, cores=2)
    assert arm["refused_per_s"] > arm["answered_per_s"] > 0
    assert arm["lost_per_s"] == 0
    assert min(arm["triton_cores"], arm["nginx_cores"], arm["generator_cores"]) > 0
    assert 0 < arm["left"] <= 1
    assert 0 < arm["best_left"] <= 1
    assert Overload().chart(Measurement(by_second(flood), {})) is not None
