"""The alert rules in the real promtool: which series raise an alert, and which do not."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.docker.alert_cases import ALERTS, QUICK, RULES, WEEKLY, Case
from tests.support.docker.rendered import DOCKER, needs_promtool, promtool, promtool_test

pytestmark = needs_promtool


def failures(cases: list[Case], every: str, folder: Path) -> str:
    return promtool_test(RULES, [case.as_promtool_test() for case in cases], folder, every)


def test_prometheus_configuration_is_valid() -> None:
    checked = promtool("check", "config", DOCKER / "prometheus" / "prometheus.yml")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_cases_that_fire_and_cases_that_do_not(alert: str) -> None:
    assert {case.fires for case in QUICK + WEEKLY if case.alert == alert} == {True, False}


def test_every_alert_has_a_section_in_the_runbook() -> None:
    sections = re.findall(r"^## (\w+)\n\n\*\*(\w+)\.\*\*", (DOCKER / "RUNBOOK.md").read_text(), re.MULTILINE)
    assert [(alert, severity.lower()) for alert, severity in sections] == [
        (alert, rule["labels"]["severity"]) for alert, rule in ALERTS.items()
    ]
    for alert, rule in ALERTS.items():
        assert rule["annotations"]["runbook_url"] == f"docker/RUNBOOK.md#{alert.lower()}"


@pytest.mark.parametrize(("cases", "every"), [(QUICK, "30s"), (WEEKLY, "1h")], ids=["quick", "weekly"])
def test_alerts_fire_as_expected(cases: list[Case], every: str, tmp_path: Path) -> None:
    assert failures(cases, every, tmp_path) == ""


def test_promtool_detects_a_wrong_expectation(tmp_path: Path) -> None:
    fires, quiet = (case for case in QUICK if case.alert == "CanaryFailing")
    for case in (replace(fires, labels=None), replace(quiet, labels=fires.labels, summary=fires.summary)):
        assert "FAILED" in failures([case], "30s", tmp_path)
