"""Latency with the real perf_analyzer on a real server, and its summary of known figures."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from perf.experiments import latency
from perf.experiments.latency import AT_RATE, BARE, Latency
from perf.load import perf_analyzer
from perf.load.perf_analyzer import PerfAnalyzerError, measure
from perf.load.workload import SyntheticUser, perf_analyzer_data
from perf.report.experiment import Measurement
from tests.support.markdown import cells
from tests.support.perf.arguments import short
from tests.support.tritonserver import Server

FIGURES = ["per_s", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "cpu_ms"]


def row(number: int, how: str, clients: int, p50_ms: float) -> dict[str, object]:
    figures = dict.fromkeys(FIGURES, 1.0) | {"p50_ms": p50_ms, "p99_ms": 3.2 * p50_ms}
    return {"round": number, "model": "mobilenet", "how": how, "clients": clients, **figures}


MEASUREMENT = Measurement(
    pd.DataFrame(
        row(number, how, clients, p50_ms)
        for number, (bare, one, eight) in enumerate([(2.0, 3.0, 9.0), (4.0, 8.0, 20.0), (2.0, 3.1, 10.0)])
        for how, clients, p50_ms in ((BARE, 1, bare), ("grpc", 1, one), ("grpc", 8, eight), (AT_RATE, 0, eight))
    ),
    {"ready_s": 4.2},
)


def test_goals_compare_with_bare_onnx_runtime_and_look_at_the_tail() -> None:
    goals = {goal.text: (goal.figure, goal.met) for goal in Latency().goals(MEASUREMENT)}
    assert goals == {
        "mobilenet, one client: p50 at most 1.2 ms over bare ONNX Runtime": ("+1.1 ms", True),  # of 1, 4 and 1.1
        "mobilenet, 70% load: p99 at most 3 times p50": ("3.2 times (32.0 ms)", False),
        "ready within 8 s of launch": ("4.2 s", True),
    }


def test_table_has_medians_ranges_and_ratios() -> None:
    rows = cells(Latency().table(MEASUREMENT))
    assert ["mobilenet", "grpc", "1", "3.1 (3.0 to 8.0)", "9.9", "1.55", "+1.1", "1", "1.0"] in rows
    assert [row[2] for row in rows if row[1] == AT_RATE] == [""]


def test_chart_has_a_line_per_percentile_and_marks_the_baseline() -> None:
    (axes,) = Latency().chart(MEASUREMENT).axes
    p50_ms, p99_ms = (np.asarray(line.get_ydata()) for line in axes.lines[:2])
    assert axes.lines[0].get_label() == "mobilenet, grpc"
    assert p50_ms == pytest.approx([3.1, 10])
    assert p99_ms == pytest.approx([9.92, 32])
    assert axes.lines[-1].get_label() == "mobilenet, ONNX Runtime alone"


def test_every_arm_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "gender_ensembles", lambda: {"mobilenet": "gender_mobilenet"})
    measurement = Latency().measure(short())
    rows = measurement.rows
    baselines = [BARE, "preprocessing, ONNX Runtime", "preprocessing, TensorFlow fp32"]
    assert rows["how"].tolist() == [*baselines, "grpc", "http", AT_RATE]
    assert (rows[FIGURES] > 0).all(axis=None)
    assert (rows["p50_ms"] <= rows["p99_ms"]).all()
    assert 0 < measurement.metadata["ready_s"] < 60


@pytest.fixture
def data() -> Iterator[Path]:
    with perf_analyzer_data([SyntheticUser(b"", "小美")]) as file:
        yield file


def test_perf_analyzer_sends_at_a_rate(triton: Server, data: Path) -> None:
    figures = measure(triton, "gender_mobilenet", "http", data, seconds=1.5, rate_per_s=20)
    assert 5 < figures["per_s"] < 60


def test_perf_analyzer_error_names_an_unknown_model(triton: Server, data: Path) -> None:
    with pytest.raises(PerfAnalyzerError, match=r"-m gender_resnet.*[Uu]nknown model.*gender_resnet"):
        measure(triton, "gender_resnet", "grpc", data, seconds=0.3)


def test_missing_perf_analyzer_error_says_how_to_install_it(
    triton: Server, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perf_analyzer, "FOLDER", tmp_path)
    with pytest.raises(PerfAnalyzerError, match="install it with: make perf-tools"):
        measure(triton, "gender_mobilenet", "grpc", data, seconds=0.3)
