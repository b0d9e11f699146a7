"""Every expression of the dashboard, the rules and the runbook is PromQL, and asks for metrics that there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.scrape import SDK_METRICS, scrape
from tests.support.tritonserver import ROOT, Server

DASHBOARD: Final = json.loads((ROOT / "docker/grafana/dashboards/gender.json").read_text())
RULES: Final[list[dict[str, Any]]] = [
    rule
    for group in yaml.safe_load((ROOT / "docker/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
QUERIES: Final[list[str]] = re.findall(r"```promql\n(.+?)\n```", (ROOT / "docker/RUNBOOK.md").read_text(), re.DOTALL)
# Those of the client, of the supervisor, and Prometheus' own.
ELSEWHERE: Final = SDK_METRICS | {
    "gender_canary_ok",
    "gender_canary_seconds",
    "gender_server_restarts_total",
    "gender_model_revivals_total",
    "ALERTS",
    "up",
}
EXPRESSIONS: Final[dict[str, str]] = {
    **{f"runbook {number}": query for number, query in enumerate(QUERIES)},
    **{rule.get("record") or rule["alert"]: rule["expr"] for rule in RULES},
    **{
        f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "1m")
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    },
}
# What is no metric in an expression: texts, selectors, ranges and lists of labels; then functions, numbers, keywords.
NO_METRIC: Final = (
    re.compile(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|on|group_left)\s*\([^)]*\)'),
    re.compile(r"\w+\s*\(|\b\d\w*|\b(and|or|offset)\b"),
)


def metrics_of(expression: str) -> set[str]:
    for pattern in NO_METRIC:
        expression = pattern.sub(" ", expression)
    return set(re.findall(r"[A-Za-z_][\w:]*", expression))


def test_names_are_found_in_an_expression() -> None:
    assert metrics_of(
        'sum by (a, b) (rate(x_total{m!~"y.+"}[5m])) / on () group_left () a:b:rate5m offset 1w > 1e3'
    ) == {
        "x_total",
        "a:b:rate5m",
    }


def test_every_metric_exists(triton: Server) -> None:
    served = {sample.name for sample in scrape(triton)}
    known = served | ELSEWHERE | {rule["record"] for rule in RULES if "record" in rule}
    unknown = {name: metrics_of(expression) - known for name, expression in EXPRESSIONS.items()}
    assert {name: metrics for name, metrics in unknown.items() if metrics} == {}


def test_what_is_named_elsewhere_is_used() -> None:
    assert set().union(*map(metrics_of, EXPRESSIONS.values())) >= ELSEWHERE


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool on this machine")
def test_every_expression_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"expression{index}", "expr": text} for index, text in enumerate(EXPRESSIONS.values())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    found = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert f"SUCCESS: {len(rules)} rules found" in found.stdout


def test_panels_have_a_source_and_a_place_of_their_own() -> None:
    sources = yaml.safe_load((ROOT / "docker/grafana/provisioning/datasources/prometheus.yml").read_text())
    (source,) = (each["uid"] for each in sources["datasources"])
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source}
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]}
    assert len(places) == len(DASHBOARD["panels"])
