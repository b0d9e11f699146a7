"""The cost of the reverse proxy's log."""

import pandas as pd
import pytest

from perf.experiments.access_log import DIRECTIVE, LOGGED, NOT_LOGGED, AccessLog
from perf.report.experiment import Measurement
from server.edge.reverse_proxy import TEMPLATE, find_nginx
from tests.support.markdown import cells
from tests.support.perf.arguments import short


def test_log_can_be_replaced() -> None:
    assert TEMPLATE.read_text().count(DIRECTIVE) == 1


@pytest.mark.skipif(find_nginx() is None, reason="there is no nginx on this machine")
def test_both_arms_are_measured() -> None:
    rows = AccessLog().measure(short()).rows.set_index("arm")
    assert list(rows.index) == [NOT_LOGGED, LOGGED]
    assert (rows["per_s"] > 0).all()
    assert (rows["lost"] < 0.5).all(), "the receiver counts what nginx sends"


@pytest.mark.parametrize(("receiver_ms", "met"), [(0.04, True), (0.2, False)])
def test_goal_adds_the_receiver(receiver_ms: float, met: bool) -> None:
    shared = {"round": 0, "per_s": 3000.0, "lost": 0.0}
    plain = {**shared, "arm": NOT_LOGGED, "nginx_ms": 0.02, "receiver_ms": 0.0}
    logged = {**shared, "arm": LOGGED, "nginx_ms": 0.03, "receiver_ms": receiver_ms}
    measurement = Measurement(pd.DataFrame([plain, logged]), {})
    (goal,) = AccessLog().goals(measurement)
    assert goal.met == met
    assert cells(AccessLog().table(measurement))[1][0] == NOT_LOGGED
