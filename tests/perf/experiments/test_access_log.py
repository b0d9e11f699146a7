"""The cost of the reverse proxy's log."""

import pandas as pd
import pytest

from perf.experiments import access_log
from perf.experiments.access_log import DIRECTIVE, LOGGED, NOT_LOGGED, AccessLog
from perf.report.experiment import Measurement
from server.edge.reverse_proxy import TEMPLATE, find_nginx
from tests.support.perf.arguments import short
from tests.support.perf.tables import cells


def test_log_can_be_replaced() -> None:
    assert TEMPLATE.read_text().count(DIRECTIVE) == 1


@pytest.mark.skipif(find_nginx() is None, reason="there is no nginx on this machine")
def test_both_arms_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "gender_ensembles", lambda: {"mobilenet": "gender_mobilenet"})
    rows = AccessLog().measure(short()).rows.set_index("arm")
    assert list(rows.index) == [NOT_LOGGED, LOGGED]
    assert (rows["answers"] > 0).all()


@pytest.mark.parametrize(("cpu_ms", "per_s", "met"), [(0.15, 395.0, [True, True]), (0.3, 300.0, [False, False])])
def test_goals_compare_the_medians(cpu_ms: float, per_s: float, met: list[bool]) -> None:
    shared = {"round": 0, "model": "mobilenet", "clients": 8, "p50_ms": 20.0, "p99_ms": 30.0}
    plain = {**shared, "arm": NOT_LOGGED, "per_s": 400.0, "cpu_ms": 0.1}
    logged = {**shared, "arm": LOGGED, "per_s": per_s, "cpu_ms": cpu_ms}
    measurement = Measurement(pd.DataFrame([plain, logged]), {})
    assert [goal.met for goal in AccessLog().goals(measurement)] == met
    assert cells(AccessLog().table(measurement))[1][:3] == ["mobilenet", "8", LOGGED]
