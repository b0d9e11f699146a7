"""One process and Ray on the same table."""

from pathlib import Path

import pandas as pd
import pytest

from perf.experiments.offline_scoring import (
    COMMANDS,
    OfflineScoring,
    ScoringError,
    run_command,
    users_of_commands,
    write_dataset,
)
from perf.report.experiment import Measurement
from tests.support.markdown import cells
from tests.support.tritonserver import Server


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_timed_and_checked(command: str, triton: Server, tmp_path: Path) -> None:
    dataset = write_dataset(users_of_commands(8, seed=1)[command], 20, tmp_path / "users")
    assert len(list(dataset.iterdir())) == 4
    assert run_command(triton, command, "local", dataset, 20) > 0
    with pytest.raises(ScoringError, match=f"--engine local exited with 0: 20 {COMMANDS[command]}, 0 failed"):
        run_command(triton, command, "local", dataset, 21)


def test_rates_come_from_the_additional_time_of_the_longer_run() -> None:
    rows = pd.DataFrame(
        {"round": number, "command": "rank", "engine": engine, "rows": count, "seconds": startup_s + count / rate}
        for engine, startup_s, rates in (("local", 1.0, (100, 200, 400)), ("ray", 9.0, (500, 100, 250)))
        for number, rate in enumerate(rates)
        for count in (100, 1000)
    )
    table = OfflineScoring().table(Measurement(rows, {"counts": [100, 1000]}))
    assert cells(table)[1:] == [
        ["rank", "local", "1,000", "200 (100 to 400)", "1.0", "6.0", "167"],
        ["rank", "ray", "1,000", "250 (100 to 500)", "9.0", "13.0", "77"],
    ]


def test_noise_larger_than_the_difference_is_an_error() -> None:
    rows = pd.DataFrame({"round": 0, "command": "score", "engine": "local", "rows": [100, 1000], "seconds": [3.0, 2.0]})
    with pytest.raises(ScoringError, match="1000 rows took less time than 100"):
        OfflineScoring().summarize(rows)
