"""A soak of a few seconds on a real server, and the verdicts on synthetic series."""

import asyncio
from typing import Any

import numpy as np
import pandas as pd
import pytest

from perf.load.workload import synthetic_users
from perf.report.experiment import Measurement, MeasurementError
from perf.report.trend import Slope
from reliability.soak import load
from reliability.soak.experiment import Soak, summarize, verdict
from tests.support.tritonserver import Server

ENDS = {"answered": 20_000, "refused": 1_000, "failed": 0, "failures": ""}


def measurement(metadata: dict[str, Any] | None = None, **series: Any) -> Measurement:
    """Ten minutes of constant series, but for `series`."""
    columns = dict.fromkeys(("preprocess_mb", "shared_mb", "descriptors", "threads", "p50_ms", "p99_ms"), 50.0)
    rows = pd.DataFrame({"seconds": np.arange(0, 600, 5.0), **columns, **series})
    return Measurement(rows, {"saturation_per_s": 100.0, **ENDS, **(metadata or {})})


def met(measured: Measurement) -> list[bool]:
    return [goal.met for goal in Soak().goals(measured)]


def test_soak_samples_requests_and_resources(triton: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "BROKEN", 0.3)
    monkeypatch.setattr(load, "SATURATING_S", 1.0)
    models, users = ["gender_densenet", "gender_mobilenet"], synthetic_users(16, seed=1)
    saturation_per_s, rows = asyncio.run(load.soak(triton, models, users, seed=1, seconds=4, every_s=0.5))
    assert saturation_per_s > 0
    assert rows["seconds"].is_monotonic_increasing
    assert rows["answered"].sum() > rows["refused"].sum() > 0
    assert rows["failed"].sum() == 0
    assert (rows[["tritonserver_mb", "densenet_mb", "preprocess_mb", "sdk_mb", "shared_mb", "threads"]] > 1).all().all()


def test_soak_does_not_begin_if_requests_fail(triton: Server) -> None:
    with pytest.raises(MeasurementError, match=r"requests failed: ModelNotFound$"):
        asyncio.run(load.soak(triton, ["gender_unknown"], synthetic_users(2, seed=1), 1, seconds=0.2, every_s=0.5))


def test_flat_series_meet_every_goal() -> None:
    assert met(measurement()) == [True] * 5
    assert set(summarize(measurement().rows)["verdict"]) == {"flat"}


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.1, 0.1, "flat"),
        (-0.6, 0.2, "does not grow"),
        (-0.6, -0.4, "does not grow"),
        (0.3, 0.4, "grows"),
        (0.1, 0.4, "too noisy"),
    ],
)
def test_verdict_is_that_of_the_interval(low: float, high: float, expected: str) -> None:
    assert verdict(Slope((low + high) / 2, low, high), bound=0.25) == expected


@pytest.mark.parametrize(
    ("series", "missed"),
    [("preprocess_mb", 0), ("shared_mb", 0), ("descriptors", 1), ("threads", 2), ("p99_ms", 3)],
)
def test_growing_series_misses_its_goal(series: str, missed: int) -> None:
    measured = measurement(None, **{series: 50 + np.arange(120) / 2})
    assert met(measured) == [number != missed for number in range(5)]
    verdicts = summarize(measured.rows).set_index("series")["verdict"]
    assert verdicts[series] == "grows"


def test_failed_request_misses_its_goal() -> None:
    *_, last = Soak().goals(measurement({"failed": 2, "failures": "Unavailable"}))
    assert (last.met, last.figure) == (False, "2 of 21,002: Unavailable")
