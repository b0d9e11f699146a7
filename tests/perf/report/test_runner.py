"""The command line of experiments, with an experiment that measures nothing."""

import json
from pathlib import Path

import pytest

from perf.report.markdown import Document
from perf.report.runner import main
from tests.support.markdown import cells
from tests.support.perf.toy_experiment import Toy

DOCUMENT = Document("toys", "Toys", "TOYS.md", "All toys.", [Toy()])


def test_run_writes_rows_metadata_and_chart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(DOCUMENT, ["toy", "--seed", "7", "--results", str(tmp_path)])
    written = json.loads((tmp_path / "toy.json").read_text())
    assert {"date", "machine", "load_average_before"} <= written.keys()
    assert (written["seed"], written["latency_ms"], written["ready_s"]) == (7, 4, 2.5)
    assert "results" not in written
    assert (tmp_path / "toy.csv").read_text() == "round,p50_ms\n0,4.0\n1,\n"
    assert (tmp_path / "toy.png").read_bytes().startswith(b"\x89PNG")
    assert "## A toy\n\nReady after 2.5 s." in capsys.readouterr().out


@pytest.mark.parametrize(("latency_ms", "verdict"), [(4, "met"), (6, "**not met**")])
def test_report_lists_goals_with_figures(tmp_path: Path, latency_ms: int, verdict: str) -> None:
    main(DOCUMENT, ["toy", "--latency-ms", str(latency_ms), "--results", str(tmp_path)])
    (tmp_path / "toy.png").unlink()
    main(DOCUMENT, ["report", "--results", str(tmp_path)])
    rows = cells((tmp_path / "TOYS.md").read_text())
    assert ["A toy", "p50 at most 5 ms", f"{latency_ms}.0 ms", verdict] in rows
    assert (tmp_path / "toy.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toy", "--latency-ms", "101"], "toy: the toy broke"),
        (["toy", "--latency-ms", "51"], "toy: the toy is slow"),
        (["report"], r"report: expected the results of toy in .*toy\.json"),
    ],
)
def test_failures_exit_with_one_message(tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=f"^{message}"):
        main(DOCUMENT, [*arguments, "--results", str(tmp_path)])


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_counts_reject_other_values(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(DOCUMENT, ["toy", f"--latency-ms={value}"])
    assert f"--latency-ms: expected an integer of 1 or more, got '{value}'" in capsys.readouterr().err
