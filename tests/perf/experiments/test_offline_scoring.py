"""One process and Ray on the same table: what is measured, and what is made of it."""

import json
from pathlib import Path

import pandas as pd
import pytest

from perf.experiments.offline_scoring import ScoringError, report, score, summarize, write_dataset
from perf.load.workload import users
from tests.support.tritonserver import Server


def test_the_command_is_timed(triton: Server, tmp_path: Path) -> None:
    table = write_dataset(users(8, seed=1), 20, tmp_path / "users")
    assert len(list(table.iterdir())) == 4
    assert score(triton, "local", table, 20) > 0
    with pytest.raises(ScoringError, match="--engine local ended with 0: 20 scored, 0 failed"):
        score(triton, "local", table, 21)


def test_rates_come_from_what_the_longer_run_takes_more(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {"round": number, "engine": engine, "rows": count, "seconds": ready + count / rate}
        for engine, ready, rates in (("local", 1.0, (100, 200, 400)), ("ray", 9.0, (500, 100, 250)))
        for number, rate in enumerate(rates)
        for count in (100, 1000)
    )
    report(rows, {"seed": 1, "counts": [100, 1000]}, tmp_path)
    written = json.loads((tmp_path / "scoring.json").read_text())
    assert {"date", "machine", "seed"} <= written.keys()
    assert [engine["per_s"] for engine in written["engines"]] == [200, 250]
    text = (tmp_path / "scoring.md").read_text()
    assert "| local | 200 (100 to 400) | 1.0 | 6.0 | 167 |" in text
    assert "| ray | 250 (100 to 500) | 9.0 | 13.0 | 77 |" in text
    assert len((tmp_path / "scoring.csv").read_text().splitlines()) == 13


def test_chance_is_no_rate() -> None:
    runs = [("local", 100, 9.0), ("local", 1000, 8.0)]
    rows = pd.DataFrame(runs, columns=["engine", "rows", "seconds"]).assign(round=0)
    with pytest.raises(ScoringError, match="1000 rows took less time than 100; give --rows further apart"):
        summarize(rows)
