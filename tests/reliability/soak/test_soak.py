"""A soak of a few seconds on a real server, and the document of series that are made."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from perf.load.workload import synthetic_users
from reliability.soak import __main__ as soak
from reliability.soak.report import goals, markdown, report, summarize
from tests.support.tritonserver import Server

TOLD = {"saturation_per_s": 100.0, "answered": 20_000, "refused": 1_000, "failed": 0, "failures": ""}


def made(**series: Any) -> pd.DataFrame:
    seconds = np.arange(0, 600, 5.0)
    columns = dict.fromkeys(("preprocess_mb", "shared_mb", "descriptors", "threads", "p50_ms", "p99_ms"), 50.0)
    ends = {"answered": 200, "refused": 9, "failed": 0, "failures": ""}
    return pd.DataFrame({"seconds": seconds, **columns, **ends, **series})


def test_a_soak_of_a_moment(triton: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "BROKEN", 0.3)
    monkeypatch.setattr(soak, "SATURATING_S", 1.0)
    most, rows = soak.soak(triton, synthetic_users(16, seed=1), seed=1, seconds=4, every_s=0.5)
    assert most > 0
    assert rows["seconds"].is_monotonic_increasing
    assert rows["answered"].sum() > rows["refused"].sum() > 0
    assert rows["failed"].sum() == 0
    assert (rows[["tritonserver_mb", "densenet_mb", "preprocess_mb", "sdk_mb", "shared_mb", "threads"]] > 1).all().all()
    report(most, rows, {"seed": 1}, tmp_path)
    written = json.loads((tmp_path / "soak.json").read_text())
    assert {"date", "machine", "seed", "saturation_per_s", "series", "goals"} <= written.keys()
    assert len(pd.read_csv(tmp_path / "soak.csv")) == len(rows)
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")


def test_a_soak_does_not_begin_where_requests_fail(triton: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "gender_ensembles", lambda: {"mobilenet": "gender_mobilenet", "resnet": "gender_resnet"})
    with pytest.raises(soak.SoakError, match=r"requests failed: ModelNotFound$"):
        soak.soak(triton, synthetic_users(2, seed=1), seed=1, seconds=0.2, every_s=0.5)


def test_a_quiet_soak_meets_the_goals() -> None:
    found = summarize(made())
    assert [goal.met for goal in goals(found, TOLD)] == [True] * 5
    text = markdown(found, TOLD, made())
    assert "10 min " in text
    assert "| preprocess, MB | 50.0 | 50.0 | +0.00% (+0.00% to +0.00%) | 5% | flat |" in text


@pytest.mark.parametrize(
    ("series", "missed"),
    [("preprocess_mb", 0), ("shared_mb", 0), ("descriptors", 1), ("threads", 2), ("p99_ms", 3)],
)
def test_what_grows_misses_its_goal(series: str, missed: int) -> None:
    found = summarize(made(**{series: 50 + np.arange(120) / 2}))
    assert [goal.met for goal in goals(found, TOLD)] == [number != missed for number in range(5)]
    assert "| grows |" in markdown(found, TOLD, made())


def test_a_failure_misses_the_goal() -> None:
    *_, last = goals(summarize(made()), {**TOLD, "failed": 2, "failures": "Unavailable"})
    assert (last.met, last.figure) == (False, "2 of 21,002: Unavailable")
