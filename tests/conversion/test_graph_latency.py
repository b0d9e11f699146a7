import json
import shutil
import sys
from pathlib import Path

import pytest

from conversion import graph_latency
from server.catalog import Catalog
from tests.support.tritonserver import ROOT

REPOSITORY = ROOT / "model_repository"


def test_both_repositories_are_measured_by_backbone_and_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shutil.copytree(REPOSITORY, tmp_path / "before")
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(graph_latency, "ROOT", tmp_path)
    monkeypatch.setattr(graph_latency, "WARM_UP", 1)
    monkeypatch.setattr(graph_latency, "ROUNDS", 2)
    monkeypatch.setattr(sys, "argv", ["graph_latency", "--before", str(before), "--repository", str(REPOSITORY)])
    graph_latency.main()
    rows = json.loads((tmp_path / "results" / "graph_latency.json").read_text())["rows"]
    expected = [(backbone, batch) for backbone in Catalog(REPOSITORY).backbones() for batch in graph_latency.BATCHES]
    assert [(row["backbone"], row["batch"]) for row in rows] == expected
    assert all(min(row["before_ms"], row["after_ms"]) > 0 for row in rows)


def test_ratio_is_the_median_of_the_rounds_with_nine_tenths_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    times = [[2.0] * 21, [1 + number / 10 for number in range(21)]]
    monkeypatch.setattr(graph_latency, "_alternating_ms", lambda sessions, users: times)
    (row, *_) = graph_latency.compare(Catalog(REPOSITORY), Catalog(REPOSITORY))
    assert [row[name] for name in ("before_ms", "after_ms")] == [2.0, 2.0]
    assert [row[name] for name in ("ratio", "ratio_low", "ratio_high")] == [1.0, 0.55, 1.45]


def test_missing_repository_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["graph_latency", "--before", str(tmp_path)])
    with pytest.raises(SystemExit, match="graph_latency: expected"):
        graph_latency.main()
