"""The cost of the reverse proxy's check."""

import pandas as pd
import pytest

from perf.experiments import inference_check
from perf.experiments.inference_check import CHECK, CHECKED, UNCHECKED, InferenceCheck
from perf.report.experiment import Measurement
from server.edge.reverse_proxy import TEMPLATE, find_nginx
from tests.support.markdown import cells
from tests.support.perf.arguments import short


def test_check_can_be_removed() -> None:
    assert TEMPLATE.read_text().count(CHECK) == 1


@pytest.mark.skipif(find_nginx() is None, reason="there is no nginx on this machine")
def test_both_arms_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference_check, "gender_ensembles", lambda: {"mobilenet": "gender_mobilenet"})
    rows = InferenceCheck().measure(short()).rows.set_index("arm")
    assert list(rows.index) == [UNCHECKED, CHECKED]
    assert (rows["answers"] > 0).all()


def test_worst_arm_counts_and_rounds_are_compared_alone() -> None:
    """The second round is slower for all; with one client, the check costs a fifth in both."""
    shared = {"model": "mobilenet", "p50_ms": 20.0, "p99_ms": 30.0, "nginx_ms": 0.1}
    rows = [
        {**shared, "round": number, "clients": clients, "arm": arm, "per_s": speed * (kept if arm == CHECKED else 1)}
        for number, speed in ((0, 400.0), (1, 100.0))
        for clients, kept in ((1, 0.8), (8, 1.1))
        for arm in (UNCHECKED, CHECKED)
    ]
    _, throughput = InferenceCheck().goals(Measurement(pd.DataFrame(rows), {}))
    assert (throughput.figure, throughput.met) == ("80.0% at the worst: mobilenet, clients: 1", False)


@pytest.mark.parametrize(("nginx_ms", "per_s", "met"), [(0.2, 390.0, [True, True]), (0.5, 300.0, [False, False])])
def test_goals_compare_the_medians(nginx_ms: float, per_s: float, met: list[bool]) -> None:
    shared = {"round": 0, "model": "mobilenet", "clients": 8, "p50_ms": 20.0, "p99_ms": 30.0}
    plain = {**shared, "arm": UNCHECKED, "per_s": 400.0, "nginx_ms": 0.1}
    checked = {**shared, "arm": CHECKED, "per_s": per_s, "nginx_ms": nginx_ms}
    measurement = Measurement(pd.DataFrame([plain, checked]), {})
    assert [goal.met for goal in InferenceCheck().goals(measurement)] == met
    assert cells(InferenceCheck().table(measurement))[1][:3] == ["mobilenet", "8", UNCHECKED]
