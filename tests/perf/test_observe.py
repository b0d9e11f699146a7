"""A real Prometheus on a real Triton: it counts what was sent, and its rules and the command's report work."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from perf.observe import COUNTS, SERIES, Phase, report, watch
from perf.prometheus import Prometheus, running_prometheus
from perf.workload import users
from server.errors import LaunchError
from tests.tritonserver import Server

needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="there is no prometheus")


@pytest.fixture(scope="module")
def prometheus(observed: Server) -> Iterator[Prometheus]:
    with running_prometheus({"triton": [observed.metrics_url]}) as running:
        yield running


@needs_prometheus
def test_it_counts_what_the_clients_sent(observed: Server, prometheus: Prometheus, tmp_path: Path) -> None:
    plan = [Phase("calm", 1, 0.1), Phase("garbage", 4, 0.5)]
    seen = watch(observed, prometheus, users(16, seed=1), plan, seconds=1.5, seed=1)
    assert seen.counted == seen.sent
    assert min(seen.sent[name] for name in COUNTS if name != "missing NICKNAME") > 0
    assert set(seen.rows["phase"]) == {"calm", "garbage"}
    assert (seen.rows[list(SERIES)].max()[["answered_per_s", "refused_per_s", "p99_ms", "wait_ms"]] > 0).all()
    report(seen, {"seed": 1}, tmp_path)
    written = json.loads((tmp_path / "observability.json").read_text())
    assert {"date", "machine", "seed", "phases"} <= written.keys()
    assert written["counted"] == seen.counted
    line = f"| answered | {seen.sent['answered']} | {seen.counted['answered']} |"
    assert line in (tmp_path / "observability.md").read_text()
    assert (tmp_path / "observability.png").read_bytes().startswith(b"\x89PNG")


@needs_prometheus
def test_every_rule_is_healthy_on_what_triton_shows(prometheus: Prometheus) -> None:
    for _ in range(2):
        prometheus.wait_for_scrape(time.time())
    rules = {rule["name"]: (rule["health"], rule.get("lastError", "")) for rule in prometheus.rules()}
    assert prometheus.value('up{job="triton"}') == 1
    assert "CanaryFailing" in rules
    assert set(rules.values()) == {("ok", "")}


@needs_prometheus
def test_a_scrape_that_does_not_come_is_not_waited_for_for_ever(prometheus: Prometheus) -> None:
    with pytest.raises(TimeoutError, match=r"did not scrape every target within 0\.2 s"):
        prometheus.wait_for_scrape(time.time() + 1000, timeout_s=0.2)


def test_it_says_how_to_install_prometheus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.prometheus.shutil.which", lambda _: None)
    with (
        pytest.raises(LaunchError, match="there is no prometheus; install it, on Debian with: apt-get install prom"),
        running_prometheus({}),
    ):
        pass
