"""The sweep with the real perf_analyzer on a real server, and what it makes of measures that are known."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from perf.experiments import latency as sweep
from perf.experiments.latency import BARE, chart, markdown, summarize
from perf.load import perf_analyzer
from perf.load.perf_analyzer import Load, PerfAnalyzerError, measure
from perf.load.workload import users, write_perf_analyzer_data
from tests.support.tritonserver import ROOT, Server, running_triton


def row(number: int, how: str, clients: int, p50: float) -> dict[str, object]:
    figures = dict.fromkeys(sweep.FIGURES, 1.0) | {"p50_ms": p50, "p99_ms": 3 * p50}
    return {"round": number, "model": "mobilenet", "how": how, "clients": clients, **figures}


MEASURED = pd.DataFrame(
    row(number, how, clients, p50)
    for number, (bare, one, eight) in enumerate([(2.0, 3.0, 9.0), (4.0, 8.0, 20.0), (2.0, 3.2, 10.0)])
    for how, clients, p50 in ((BARE, 1, bare), ("grpc", 1, one), ("grpc", 8, eight))
)


def test_each_round_is_compared_with_its_own_fixed_point() -> None:
    found = summarize(MEASURED).set_index(["how", "clients"])
    assert found.loc[("grpc", 1), "p50_ms"] == 3.2
    assert found.loc[("grpc", 1), "ratio"] == pytest.approx(1.6)  # of 1.5, 2 and 1.6
    assert found.loc[("grpc", 1), "over_bare_ms"] == pytest.approx(1.2)  # of 1, 4 and 1.2
    assert (found.loc[("grpc", 8), "p50_low_ms"], found.loc[("grpc", 8), "p50_high_ms"]) == (9, 20)
    assert found.loc[(BARE, 1), "ratio"] == 1


def test_the_document() -> None:
    text = markdown(summarize(MEASURED))
    assert "| mobilenet | grpc | 1 | 3.2 (3.0 to 8.0) | 9.6 | 1.60 | +1.2 | 1 | 1.0 |" in text


def test_the_chart_has_a_line_for_each_percentile_and_a_point_for_the_fixed_one() -> None:
    (axes,) = chart(summarize(MEASURED)).axes
    lines = {str(line.get_label()): np.asarray(line.get_ydata()) for line in axes.lines}
    assert lines["mobilenet, grpc, p50"] == pytest.approx([3.2, 10])
    assert lines["mobilenet, grpc, p99"] == pytest.approx([9.6, 30])
    assert [text.get_text() for text in axes.texts] == ["ONNX Runtime, mobilenet"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_triton(ROOT / "model_repository") as running:
        yield running


def test_a_sweep_measures_every_arm_and_writes_everything(server: Server, tmp_path: Path) -> None:
    load = users(8, seed=1)
    rows = sweep.sweep(server, load, clients=[2], rounds=1, seconds=0.6)
    assert set(zip(rows["model"], rows["how"], strict=True)) == {
        (model, how)
        for model in ("densenet", "mobilenet")
        for how in (
            BARE,
            "preprocessing, ONNX Runtime",
            "preprocessing, TensorFlow fp32",
            "grpc",
            "http",
            sweep.AT_RATE,
        )
    }
    assert (rows[sweep.FIGURES] > 0).all(axis=None)
    assert (rows["p50_ms"] <= rows["p99_ms"]).all()
    sweep.report(rows, {"seed": 1}, tmp_path)
    with (tmp_path / "sweep.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    written = json.loads((tmp_path / "sweep.json").read_text())
    assert {"date", "machine", "seed"} <= written.keys()
    assert len(written["arms"]) == len(rows)
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_a_load_at_a_rate(server: Server, tmp_path: Path) -> None:
    data = write_perf_analyzer_data(users(8, seed=1), tmp_path / "users.json")
    found = measure(server, Load("gender_mobilenet", "http", rate=20), data, seconds=1.5)
    assert 5 < found["per_s"] < 60


def test_an_unknown_model_is_named(server: Server, tmp_path: Path) -> None:
    data = write_perf_analyzer_data(users(1, seed=1), tmp_path / "users.json")
    with pytest.raises(PerfAnalyzerError, match=r"model='gender_resnet'.*[Uu]nknown model.*gender_resnet"):
        measure(server, Load("gender_resnet", "grpc"), data, seconds=0.3)


def test_it_says_how_to_install_it(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_analyzer, "FOLDER", tmp_path)
    with pytest.raises(PerfAnalyzerError, match="install it with: make perf-tools"):
        measure(server, Load("gender_mobilenet", "grpc"), tmp_path / "users.json", seconds=0.3)
