"""A few real crashes, and the verdicts on synthetic ones."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from perf.report.experiment import Measurement
from reliability.restarts.crashes import crash_again_and_again
from reliability.restarts.experiment import Restarts
from reliability.restarts.impatient_supervisor import MAX_PAUSE_S

THINGS = {"processes": 7, "zombies": 0, "regions": 7, "copies": 1, "descriptors": 20, "threads": 40}
STOPPED = {"processes": 0, "regions": 0}


def measurement(survived: int = 3, noticed_s: float = 0.1, recovery_s: float = 3.0, **arm: Any) -> Measurement:
    """An arm of three crashes."""
    crashes = {"crash": range(1, survived + 1), "noticed_s": noticed_s, "recovery_s": recovery_s, "max_pause_s": 0.5}
    counts = {"before": THINGS, "after": THINGS, "stopped": STOPPED}
    arms = [{"max_pause_s": 0.5, "crashes": 3, "answers": 20, "wrong": 0, **counts, **arm}]
    return Measurement(pd.DataFrame(crashes), {"arms": arms})


def test_crashes_are_survived_and_leave_nothing(tmp_path: Path) -> None:
    rows, arm = crash_again_and_again(tmp_path, crashes=3, max_pause_s=MAX_PAUSE_S)
    assert [row["crash"] for row in rows] == [1, 2, 3]
    assert all(0 < row["noticed_s"] < row["recovery_s"] for row in rows)
    assert rows[2]["recovery_s"] > MAX_PAUSE_S
    assert arm["answers"] > arm["wrong"] == 0
    assert arm["before"]["processes"] == 1 + 3 * 2, "Triton, and two stubs of three models"
    assert arm["before"]["copies"] == 1
    assert min(arm["before"][name] for name in ("regions", "descriptors", "threads")) > 1
    goals = list(Restarts().goals(Measurement(pd.DataFrame(rows), {"arms": [arm]})))
    assert [goal.met for goal in (goals[0], goals[2])] == [True, True], goals


@pytest.mark.parametrize(
    ("measured", "missed"),
    [
        (measurement(), ()),
        (measurement(survived=2, after={}, wrong=20), (0, 2)),
        (measurement(wrong=1), (0,)),
        (measurement(noticed_s=1.1), (1,)),
        (measurement(recovery_s=5.6), (1,)),
        (measurement(after={**THINGS, "zombies": 1}), (2,)),
        (measurement(after={**THINGS, "descriptors": 19}), ()),
        (measurement(stopped={**STOPPED, "regions": 1}), (2,)),
    ],
)
def test_goals(measured: Measurement, missed: tuple[int, ...]) -> None:
    assert [goal.met for goal in Restarts().goals(measured)] == [number not in missed for number in range(3)]
    assert "zombies" in Restarts().table(measured)
