"""All expressions of the dashboard, the alert rules and the runbook are valid PromQL about existing metrics."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

import yaml

from server.edge.metrics import EdgeMetrics
from server.supervisor.snapshot import CanaryResult, Verdict
from server.supervisor.status import SupervisorStatus
from tests.support.docker.rendered import DOCKER, needs_promtool, promtool
from tests.support.scrape import SDK_METRICS, scrape
from tests.support.tritonserver import Server

DASHBOARD: Final = json.loads((DOCKER / "grafana/dashboards/gender.json").read_text())
RULES: Final[list[dict[str, Any]]] = [
    rule
    for group in yaml.safe_load((DOCKER / "prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
QUERIES: Final[list[str]] = re.findall(r"```promql\n(.+?)\n```", (DOCKER / "RUNBOOK.md").read_text(), re.DOTALL)
# Metrics of the SDK, of the supervisor, of the reverse proxy and of Prometheus itself.
NOT_FROM_TRITON: Final = SDK_METRICS | {
    "genderclient_results_total",
    "gender_canary_ok",
    "gender_canary_seconds",
    "gender_server_restarts_total",
    "gender_model_revivals_total",
    "gender_edge_up",
    "gender_edge_requests_total",
    "gender_edge_certificate_expiry_timestamp_seconds",
    "gender_edge_unlogged_total",
    "gender_model_set_aside",
    "gender_ready",
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
# Strings, selectors, ranges and label lists; then functions, numbers and keywords.
NOT_A_METRIC: Final = (
    re.compile(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|on|group_left)\s*\([^)]*\)'),
    re.compile(r"\w+\s*\(|\b\d\w*|\b(and|or|offset)\b"),
)


def metrics_of(expression: str) -> set[str]:
    for pattern in NOT_A_METRIC:
        expression = pattern.sub(" ", expression)
    return set(re.findall(r"[A-Za-z_][\w:]*", expression))


def test_every_metric_exists(triton: Server) -> None:
    served = {sample.name for sample in scrape(triton)}
    known = served | NOT_FROM_TRITON | {rule["record"] for rule in RULES if "record" in rule}
    unknown = {name: metrics_of(expression) - known for name, expression in EXPRESSIONS.items()}
    assert {name: metrics for name, metrics in unknown.items() if metrics} == {}
    assert set().union(*map(metrics_of, EXPRESSIONS.values())) >= NOT_FROM_TRITON


@needs_promtool
def test_every_expression_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"expression{index}", "expr": text} for index, text in enumerate(EXPRESSIONS.values())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = promtool("check", "rules", file)
    assert checked.returncode == 0, checked.stderr
    assert f"SUCCESS: {len(rules)} rules found" in checked.stdout


def test_panels_have_a_data_source_and_do_not_overlap() -> None:
    sources = yaml.safe_load((DOCKER / "grafana/provisioning/datasources/prometheus.yml").read_text())
    (source,) = (each["uid"] for each in sources["datasources"])
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    positions = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]}
    assert len(positions) == len(DASHBOARD["panels"])


def test_every_metric_of_the_supervisor_and_the_reverse_proxy_is_shown() -> None:
    """So that a new metric gets a panel."""
    status = SupervisorStatus(
        canaries={"one": CanaryResult(Verdict.ANSWERED, 0.1)}, set_aside=frozenset({"net"}), reloads=Counter(net=1)
    )
    served = set(re.findall(r"^# TYPE (\S+)", status.metrics() + EdgeMetrics().text(1.0), re.MULTILINE))
    shown = {name for panel in DASHBOARD["panels"] for each in panel["targets"] for name in metrics_of(each["expr"])}
    assert served - shown == set()
