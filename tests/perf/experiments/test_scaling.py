"""The cost of more work on real servers for a moment, and what follows from measures that are known."""

import json
from pathlib import Path

import pandas as pd
import pytest

from perf.experiments import scaling as cost
from perf.experiments.scaling import grow, score
from perf.experiments.scaling_report import FIGURES, capacities, markdown, report, summarize
from perf.load.workload import users
from server.edge.reverse_proxy import find_nginx
from tests.support.tritonserver import Server

# Three rounds of one model, whose best is with 8 clients, 2 and 2 again.
MEASURED = pd.DataFrame(
    {"round": number, "model": "mobilenet", "kind": "clients", "amount": clients, **dict.fromkeys(FIGURES, 1.0)}
    | {"per_s": per_s, "cpu_ms": cpu}
    for number, pair in enumerate([((90.0, 5.0), (100.0, 4.0)), ((80.0, 3.0), (70.0, 9.0)), ((60.0, 6.0), (50.0, 9.0))])
    for clients, (per_s, cpu) in zip((2, 8), pair, strict=True)
)
SCORED = pd.DataFrame({"model": "mobilenet", "users": [1000.0], "seconds": [2.0], "preprocess": [70.0], "rest": [30.0]})


def test_a_day_and_ten_million_users() -> None:
    (found,) = capacities(MEASURED).to_dict("records")
    assert (found["per_s"], found["cpu_ms"]) == (80, 4)  # of 100, 80, 60 and 4, 3, 6
    assert found["day"] == pytest.approx(0.7 * 80 * 86_400)
    assert found["crowd_h"] == pytest.approx(10_000_000 / (0.7 * 80) / 3600)
    assert found["core_h"] == pytest.approx(10_000_000 * 0.004 / 3600)


def test_the_document() -> None:
    overload = {"round": 0, "model": "mobilenet", "kind": "behind nginx", "amount": 10, **dict.fromkeys(FIGURES, 5.0)}
    text = markdown(summarize(pd.concat([MEASURED, pd.DataFrame([overload])])), SCORED, capacities(MEASURED))
    assert "| mobilenet | 2 | 80 (60 to 90) | 1.0 | 1.0 | 5.0 |" in text
    assert "| mobilenet | behind nginx | 10 | 5 | 5 | 5 | 5 | 5.0 | 5.0 | 5.0 |" in text
    assert "| model | users | seconds | preprocess | rest | together |" in text
    assert "| mobilenet | 1000 | 2 | 70 | 30 | 100 |" in text
    assert "| mobilenet | 4.8 million | 49.6 | 11.1 |" in text


def test_users_are_scored_and_memory_watched(triton: Server) -> None:
    rows = list(score(triton, "mobilenet", users(8, seed=1), (40, 200)))
    assert [row["users"] >= wanted for row, wanted in zip(rows, (40, 200), strict=True)] == [True, True]
    assert rows[1]["users"] > rows[0]["users"]
    assert rows[1]["seconds"] > rows[0]["seconds"] > 0
    assert rows[0]["mobilenet"] > 20


@pytest.mark.skipif(find_nginx() is None, reason="there is no nginx on this machine")
def test_everything_grows_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "INSTANCES", (1, 2))
    monkeypatch.setattr(cost, "MODELS", ("mobilenet",))
    rows = grow(users(8, seed=1), clients=[4], rounds=1, seconds=0.6)
    assert list(zip(rows["kind"], rows["amount"], strict=True)) == [
        ("clients", 4),
        ("instances", 1),
        ("instances", 2),
        *(("behind nginx", times) for times in (1, 2, 5, 10)),
        *(("Triton alone", times) for times in (1, 2)),
    ]
    assert (rows["per_s"] > 0).all()
    crowded = rows[(rows["kind"] == "behind nginx") & (rows["amount"] == 10)].iloc[0]
    assert crowded["refused_per_s"] > crowded["per_s"]
    report(rows, SCORED, {"seed": 1}, tmp_path)
    written = json.loads((tmp_path / "cost.json").read_text())
    assert {"date", "machine", "seed", "arms", "capacity", "scored"} <= written.keys()
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")
