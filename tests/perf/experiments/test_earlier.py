"""The present models beside those of an earlier commit."""

import pandas as pd
import pytest

from perf.experiments.earlier import EARLIER, PRESENT, VERSION_2, Earlier
from perf.report.experiment import Measurement, MeasurementError
from tests.support.markdown import cells
from tests.support.perf.arguments import short


def test_the_present_commit_is_served_beside_itself() -> None:
    rows = Earlier().measure(short(commit="HEAD", clients=[1])).rows
    assert set(zip(rows["model"], rows["state"], strict=True)) == {
        (model, state) for model in ("densenet", "mobilenet") for state in (EARLIER, PRESENT)
    }
    assert (rows["per_s"] > 0).all()


def test_a_commit_that_the_clone_lacks_is_named() -> None:
    with pytest.raises(MeasurementError, match="this clone lacks commit 0123abc"):
        Earlier().measure(short(commit="0123abc", clients=[1]))


@pytest.mark.parametrize(("per_s", "met"), [(260.0, True), (240.0, False)])
def test_goal_is_a_ratio_within_the_round(per_s: float, met: bool) -> None:
    arm = {"round": 0, "model": "mobilenet", "clients": 8, "p50_ms": 4.0, "p99_ms": 5.0, "cpu_ms": 3.0}
    rows = pd.DataFrame([{**arm, "state": EARLIER, "per_s": 200.0}, {**arm, "state": PRESENT, "per_s": per_s}])
    measurement = Measurement(rows, {"commit": VERSION_2})
    assert [goal.met for goal in Earlier().goals(measurement)] == [met]
    assert f"{per_s / 200:.2f}" in cells(Earlier().table(measurement))[-1][-2]
