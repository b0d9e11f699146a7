"""Interactive users beside a bulk job; tests/server shows that the proxy holds the job back."""

import pandas as pd
import pytest

from perf.experiments import priority
from perf.experiments.priority import ARMS, Priority
from perf.report.experiment import Measurement
from server.edge.reverse_proxy import find_nginx
from tests.support.markdown import cells
from tests.support.perf.arguments import short


@pytest.mark.skipif(find_nginx() is None, reason="there is no nginx on this machine")
def test_every_arm_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priority, "gender_ensembles", lambda: {"mobilenet": "gender_mobilenet"})
    rows = Priority().measure(short(seconds=0.8)).rows.set_index("arm")
    assert list(rows.index) == list(ARMS)
    assert rows["per_s"]["no job"] > 0
    assert rows["job_per_s"]["no job"] == 0 < rows["job_per_s"]["job held back"]


def test_table_has_medians_and_the_worst_round() -> None:
    figures = {
        "model": "mobilenet",
        "arm": "job held back",
        "per_s": 50.0,
        "refused_per_s": 0.0,
        "job_per_s": 99.6,
        "late_p99_ms": 1.5,
    }
    rows = pd.DataFrame([{**figures, "p50_ms": 8.0, "p99_ms": p99_ms} for p99_ms in (20.0, 22.0, 30.0)])
    expected = ["mobilenet", "job held back", "50", "0.0", "1.5", "8.0", "22.0", "30.0", "100"]
    assert cells(Priority().table(Measurement(rows, {})))[1] == expected
