"""The alert rules in the real promtool: what makes each fire, with which words, and what does not."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.tritonserver import ROOT

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool on this machine")

PROMETHEUS: Final = ROOT / "docker" / "prometheus"
RUNBOOK: Final = ROOT / "docker" / "RUNBOOK.md"
ALERTS: Final[dict[str, dict[str, Any]]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


@dataclass(frozen=True)
class Case:
    """Series in promtool's notation, a sample each `step`, and what an alert says of them `at` a time.

    `labels` and `summary` are those of the alert that fires; without them it must not.
    """

    alert: str
    series: dict[str, str]
    at: str = "10m"
    step: str = "30s"
    labels: dict[str, str] | None = None
    summary: str = ""

    def as_test(self) -> dict[str, Any]:
        annotations = {"summary": self.summary, "runbook_url": f"docker/RUNBOOK.md#{self.alert.lower()}"}
        severity = {"severity": ALERTS[self.alert]["labels"]["severity"]}
        alerts = [] if self.labels is None else [{"exp_labels": self.labels | severity, "exp_annotations": annotations}]
        return {
            "interval": self.step,
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "alert_rule_test": [{"alertname": self.alert, "eval_time": self.at, "exp_alerts": alerts}],
        }


MOBILENET = {"model": "mobilenet", "instance": "a"}
ENSEMBLE = {"model": "gender_mobilenet"}


def triton(requests: str, failures: str = "0x99", refusals: str = "0x99") -> dict[str, str]:
    """Counts of `preprocess`' requests, of a step's failures, and of what only the ensemble counts as failed."""
    failed = "nv_inference_request_failure"
    return {
        'nv_inference_request_success{instance="a",model="preprocess"}': requests,
        f'{failed}{{instance="a",model="preprocess",reason="BACKEND"}}': "0x99",
        f'{failed}{{instance="a",model="mobilenet",reason="BACKEND"}}': failures,
        f'{failed}{{instance="a",model="gender_mobilenet",reason="OTHER"}}': refusals,
    }


def loaded(**digests: str) -> dict[str, str]:
    """When each preprocessing was loaded: `a_x` is digest x on server a."""
    return {
        'gender_preprocess_loaded_timestamp_seconds{{instance="{}",digest="{}"}}'.format(*name.split("_")): f"{when}x50"
        for name, when in digests.items()
    }


def durations(**buckets: str) -> dict[str, str]:
    edges = {"quarter": "0.25", "half": "0.5", "one": "1", "rest": "+Inf"}
    name = "genderclient_duration_seconds_bucket"
    return {f'{name}{{le="{edges[edge]}"}}': values for edge, values in buckets.items()}


def memory(used: str) -> dict[str, str]:
    return {'nv_cpu_memory_used_bytes{instance="a"}': used, 'nv_cpu_memory_total_bytes{instance="a"}': "100x200"}


def errors(kind: str, values: str) -> dict[str, str]:
    return {f'genderclient_errors_total{{model="gender_mobilenet",error_type="{kind}"}}': values}


def predictions(gender: str, values: str) -> dict[str, str]:
    return {f'genderclient_predictions_total{{model="gender_mobilenet",gender="{gender}"}}': values}


def probabilities(low: str, all_: str) -> dict[str, str]:
    name = 'genderclient_probability_{}{{model="gender_mobilenet"{}}}'
    buckets = {name.format("bucket", f',le="{edge}"'): values for edge, values in (("0.7", low), ("+Inf", all_))}
    return {**buckets, name.format("count", ""): all_, **predictions("male", all_)}


def missing(users: str, avatars: str, refused: str = "0x2100") -> dict[str, str]:
    return {
        'nv_inference_count{model="preprocess"}': users,
        'gender_refused_requests_total{tensor="AVATAR",reason="damaged"}': refused,
        'gender_missing_inputs_total{tensor="AVATAR",reason="absent"}': avatars,
    }


QUICK = [
    Case(
        "CanaryFailing",
        {'gender_canary_ok{instance="a",model="mobilenet"}': "1x3 0x20"},
        labels=MOBILENET,
        summary="a does not answer mobilenet",
    ),
    Case("CanaryFailing", {'gender_canary_ok{instance="a",model="mobilenet"}': "1x18 0 1x5"}),
    Case(
        "TargetDown",
        {'up{job="triton",instance="a"}': "1x3 0x20"},
        labels={"job": "triton", "instance": "a"},
        summary="triton on a cannot be scraped",
    ),
    Case("TargetDown", {'up{job="triton",instance="a"}': "1x18 0 1x5"}),
    Case(
        "ServerErrors",
        triton("0+300x20", failures="0+6x20", refusals="0+12x20"),
        labels={"instance": "a"},
        summary="a fails 2% of its requests",
    ),
    Case("ServerErrors", triton("0+300x20", failures="0+1x20", refusals="0+2x20")),
    Case("ServerErrors", triton("0+300x20", refusals="0+200x20")),
    Case(
        "QueueGrowing",
        {'nv_inference_pending_request_count{instance="a",model="mobilenet",version="2"}': "0+2x20"},
        labels=MOBILENET,
        summary="40 requests wait for mobilenet on a",
    ),
    Case("QueueGrowing", {'nv_inference_pending_request_count{instance="a",model="mobilenet"}': "0x15 40x2 0 40x3"}),
    Case(
        "LongWait",
        {
            'nv_inference_queue_duration_us{instance="a",model="mobilenet"}': "0+60000000x20",
            'nv_inference_request_success{instance="a",model="mobilenet"}': "0+300x20",
        },
        labels=MOBILENET,
        summary="Requests wait 200ms for mobilenet on a",
    ),
    Case(
        "LongWait",
        {
            'nv_inference_queue_duration_us{instance="a",model="mobilenet"}': "0+15000000x20",
            'nv_inference_request_success{instance="a",model="mobilenet"}': "0+300x20",
        },
    ),
    Case(
        "ServerRestarted",
        {'gender_server_restarts_total{instance="a"}': "0x10 1x10"},
        labels={"instance": "a"},
        summary="The supervisor on a had to restart Triton",
    ),
    Case("ServerRestarted", {'gender_server_restarts_total{instance="a"}': "7x20"}),
    Case(
        "ModelRevived",
        {'gender_model_revivals_total{instance="a",model="mobilenet"}': "0x5 1x5 2x5 4x5"},
        labels=MOBILENET,
        summary="mobilenet on a died again and again",
    ),
    Case("ModelRevived", {'gender_model_revivals_total{instance="a",model="mobilenet"}': "0x10 1x10"}),
    Case(
        "MemoryGrowing",
        memory("50+0.25x200"),
        at="100m",
        step="1m",
        labels={"instance": "a"},
        summary="The memory of a will be full in four hours",
    ),
    Case("MemoryGrowing", memory("50+0.05x200"), at="100m", step="1m"),
    Case(
        "PreprocessingDiffers",
        loaded(a_old="100", b_old="100", b_new="200"),
        at="40m",
        step="1m",
        labels={},
        summary="The servers prepare users in 2 different ways",
    ),
    Case("PreprocessingDiffers", loaded(a_old="100", a_new="210", b_old="100", b_new="200"), at="40m", step="1m"),
    Case(
        "ClientErrors",
        {**errors("Unavailable", "0+6x20"), **predictions("male", "0+94x20")},
        labels=ENSEMBLE,
        summary="6% of the calls for gender_mobilenet end without an answer",
    ),
    Case(
        "ClientErrors",
        errors("Unavailable", "0+6x20"),
        labels=ENSEMBLE,
        summary="100% of the calls for gender_mobilenet end without an answer",
    ),
    Case("ClientErrors", {**errors("InvalidAvatar", "0+60x20"), **predictions("male", "0+94x20")}),
    Case(
        "SlowAnswers",
        durations(quarter="0+90x60", half="0+96x60", one="0+100x60", rest="0+100x60"),
        at="20m",
        labels={},
        summary="One call in a hundred takes 875ms or more",
    ),
    Case("SlowAnswers", durations(quarter="0+99x60", half="0+100x60", one="0+100x60", rest="0+100x60"), at="20m"),
    Case(
        "RefusedInputs",
        {'gender_refused_requests_total{tensor="AVATAR",reason="damaged"}': "0+10x60", **triton("0+100x60")},
        at="25m",
        labels={},
        summary="10% of the requests are refused for a bad input",
    ),
    Case(
        "RefusedInputs",
        {'gender_refused_requests_total{tensor="AVATAR",reason="damaged"}': "0+4x60", **triton("0+100x60")},
        at="25m",
    ),
]


def drift(alert: str, series: dict[str, str], labels: dict[str, str] | None = None, summary: str = "") -> Case:
    """A week is 2,016 samples; what changes after it has changed for two hours."""
    return Case(alert, series, at="7d2h", step="5m", labels=labels, summary=summary)


WEEKLY = [
    drift(
        "MissingInputsDrift",
        missing("0+500x2100", "0+50x2016 101000+200x80"),
        {"tensor": "AVATAR"},
        "The share of users without AVATAR is 30% off last week's",
    ),
    drift("MissingInputsDrift", missing("0+500x2100", "0+50x2016 100870+70x80")),
    drift("MissingInputsDrift", missing("0+50x2100", "0+5x2016 10100+20x80")),
    drift(
        "MissingInputsDrift",
        missing("0+500x2016 1012500+4500x80", "0+200x2100", refused="0x2016 4000+4000x80"),
    ),
    drift(
        "UnknownShareDrift",
        {**predictions("male", "0+450x2100"), **predictions("unknown", "0x2016 150+150x80")},
        ENSEMBLE,
        "The share of `unknown` from gender_mobilenet is 25% off last week's",
    ),
    drift(
        "UnknownShareDrift",
        {**predictions("male", "0+450x2100"), **predictions("unknown", "0+50x2016 100880+80x80")},
    ),
    drift("UnknownShareDrift", {**predictions("male", "0+45x2100"), **predictions("unknown", "0x2016 15+15x80")}),
    drift(
        "ProbabilityDrift",
        probabilities("0+100x2016 201900+300x80", "0+500x2100"),
        ENSEMBLE,
        "The probabilities of gender_mobilenet are distributed 40% off last week's",
    ),
    drift("ProbabilityDrift", probabilities("0+100x2016 201725+125x80", "0+500x2100")),
    drift("ProbabilityDrift", probabilities("0+10x2016 20190+30x80", "0+50x2100")),
]


def promtool(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, command)], capture_output=True, text=True, check=False)


def unit_test(cases: Iterable[Case], every: str, folder: Path) -> subprocess.CompletedProcess[str]:
    tests = [case.as_test() for case in cases]
    file = folder / "tests.yml"
    rules = [str(PROMETHEUS / "alerts.yml")]
    file.write_text(yaml.safe_dump({"rule_files": rules, "evaluation_interval": every, "tests": tests}))
    return promtool("test", "rules", file)


def test_prometheus_reads_the_configuration() -> None:
    found = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert found.returncode == 0, found.stderr
    assert "SUCCESS" in found.stdout


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_seen_to_fire_and_not_to(alert: str) -> None:
    fires = {case.labels is not None for case in QUICK + WEEKLY if case.alert == alert}
    assert fires == {True, False}


def test_every_alert_has_its_section_in_the_runbook() -> None:
    sections = re.findall(r"^## (\w+)\n\n\*\*(\w+)\.\*\*", RUNBOOK.read_text(), re.MULTILINE)
    assert [(alert, severity.lower()) for alert, severity in sections] == [
        (alert, rule["labels"]["severity"]) for alert, rule in ALERTS.items()
    ]
    for alert, rule in ALERTS.items():
        assert rule["annotations"]["runbook_url"] == f"docker/RUNBOOK.md#{alert.lower()}"


@pytest.mark.parametrize(("cases", "every"), [(QUICK, "30s"), (WEEKLY, "1h")], ids=["quick", "weekly"])
def test_alerts_fire_when_they_should(cases: list[Case], every: str, tmp_path: Path) -> None:
    found = unit_test(cases, every, tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr


def test_promtool_would_notice(tmp_path: Path) -> None:
    """A case turned round has to fail, or promtool would not have read them."""
    fires, quiet = (case for case in QUICK if case.alert == "CanaryFailing")
    for case in (replace(fires, labels=None), replace(quiet, labels=fires.labels, summary=fires.summary)):
        found = unit_test([case], "30s", tmp_path)
        assert found.returncode == 1
        assert "FAILED" in found.stderr
