"""An overload of a moment on real servers, and figures of one that is made."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from perf.load.workload import synthetic_users
from reliability.overload import __main__ as overload
from reliability.overload.report import Measured, back_to_normal, by_second, goals, markdown, report, summarize
from server.edge.reverse_proxy import find_nginx
from tests.support.tritonserver import Server

ABOUT = {"seed": 1, "seconds": 2, "in_flight": 16, "cores": 2}


def outcomes(times_ms: float, status: int, begin: float, end: float, per_s: int) -> pd.DataFrame:
    due = np.arange(begin, end, 1 / per_s)
    return pd.DataFrame({"due_s": due, "late_ms": 0.5, "status": status, "took_ms": times_ms})


# A hundred a second at best; four seconds of ten, ten of a thousand, ten of ten again, the first two of them slow.
MADE = Measured(
    "mobilenet",
    best_per_s=100,
    before_s=4,
    flood_s=10,
    outcomes=pd.concat(
        [
            outcomes(10, 200, 0, 4, 10),
            outcomes(40, 200, 4, 14, 95),
            outcomes(2, 503, 4, 14, 905),
            outcomes(30, 200, 14, 16, 10),
            outcomes(12, 200, 16, 24, 10),
        ],
        ignore_index=True,
    ),
    cpu=pd.DataFrame({"seconds": [0, 4, 14, 24], "triton_s": [0, 1, 18, 19], "nginx_s": [0, 0, 1, 1]}).assign(
        generator_s=[0, 0, 2, 2]
    ),
)


def test_the_figures() -> None:
    arm = summarize(MADE, cores=2)
    assert (arm["idle_p99_ms"], arm["p99_ms"], arm["refused_p99_ms"]) == pytest.approx((10, 40, 2))
    assert (arm["sent_per_s"], arm["answered_per_s"], arm["refused_per_s"]) == pytest.approx((1000, 95, 905), rel=0.01)
    assert (arm["kept"], arm["times"]) == pytest.approx((0.95, 10), rel=0.01)
    assert (arm["triton_cores"], arm["nginx_cores"], arm["generator_cores"]) == pytest.approx((1.7, 0.1, 0.2))
    assert arm["left"] == pytest.approx(0.85)
    assert arm["back_s"] == pytest.approx(2, abs=0.15)
    assert [goal.met for goal in goals(arm)] == [True] * 4
    assert "| mobilenet | 1.70 | 0.10 | 0.20 | 85% | 95% |" in markdown([arm], ABOUT)


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"p99_ms": 51.0}, 0),
        ({"refused_p99_ms": 51.0}, 1),
        ({"lost_per_s": 0.1}, 1),
        ({"refused_per_s": 0.0}, 1),
        ({"kept": 0.89}, 2),
        ({"back_s": 5.1}, 3),
        ({"back_s": math.nan}, 3),
    ],
)
def test_a_goal_is_missed(change: dict[str, float], missed: int) -> None:
    found = list(goals({**summarize(MADE, cores=2), **change}))
    assert [goal.met for goal in found] == [number != missed for number in range(4)]


def test_each_second_has_its_row() -> None:
    rows = by_second(MADE).set_index("second")
    assert list(rows.index) == list(range(-4, 20))
    flooded = rows.loc[3]
    assert [flooded[name] for name in ("sent", "answered", "refused", "lost")] == [1000, 95, 905, 0]
    assert flooded["triton_cores"] == pytest.approx(1.7)
    assert rows.loc[-1]["answered"] == 10


def test_who_is_refused_or_slow_after_the_flood_delays_what_is_normal() -> None:
    table = MADE.outcomes.copy()
    assert back_to_normal(table, 14, limit_ms=30) == 0
    table.loc[(table["due_s"] > 20) & (table["due_s"] < 20.2), "status"] = 503
    assert back_to_normal(table, 14, limit_ms=12) == pytest.approx(2, abs=0.15)
    assert back_to_normal(table, 19.5, limit_ms=12) == pytest.approx(0.7, abs=0.15)
    assert math.isnan(back_to_normal(table, 14, limit_ms=11))


@pytest.mark.skipif(find_nginx() is None, reason="there is no nginx on this machine")
def test_an_overload_of_a_moment(triton: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overload, "gender_ensembles", lambda: {"mobilenet": "gender_mobilenet"})
    (found,) = overload.overload(triton, synthetic_users(8, seed=1), seed=1, flood_s=2, around_s=1.5, in_flight=16)
    arm = summarize(found, cores=2)
    assert arm["refused_per_s"] > arm["answered_per_s"] > 0
    assert arm["lost_per_s"] == 0
    assert min(arm["triton_cores"], arm["nginx_cores"], arm["generator_cores"]) > 0
    report([found], ABOUT, tmp_path)
    written = json.loads((tmp_path / "overload.json").read_text())
    assert {"date", "machine", "seed", "arms", "goals"} <= written.keys()
    assert (tmp_path / "overload.png").read_bytes().startswith(b"\x89PNG")
