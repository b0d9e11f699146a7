"""A real Prometheus on a real Triton: it counts what was sent, and its rules and the command's report work."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reliability.monitoring.__main__ import (
    COUNTS,
    SERIES,
    Product,
    ProductError,
    Seen,
    phases,
    report,
    running_product,
    watch,
)
from reliability.monitoring.instrumented_client import Phase
from reliability.monitoring.prometheus import Prometheus, running_prometheus
from server.errors import LaunchError
from tests.support.scrape import SDK_METRICS
from tests.support.tritonserver import Server

needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="there is no prometheus")


@pytest.fixture(scope="module")
def product(observed: Server) -> Iterator[Product]:
    with running_product(observed, users=16, seed=1) as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(observed: Server, product: Product) -> Iterator[Prometheus]:
    with running_prometheus({"triton": [observed.metrics_url], "product": [product.metrics_url]}) as running:
        yield running


@pytest.fixture(scope="module")
def seen(prometheus: Prometheus, product: Product) -> Seen:
    return watch(prometheus, product, [Phase("calm", 1, 0.1, seconds=1.5), Phase("garbage", 4, 0.5, seconds=1.5)])


@needs_prometheus
def test_what_was_sent_is_counted_by_server_and_client(seen: Seen) -> None:
    assert seen.is_right(), (seen.sent, seen.counted)
    assert seen.counted.keys() == COUNTS.keys()
    assert min(number for name, number in seen.sent.items() if name != "missing NICKNAME") > 0
    assert set(seen.rows["phase"]) == {"calm", "garbage"}
    never = {name for name, value in seen.rows[list(SERIES)].max().items() if not value > 0}
    assert never <= {"waiting", "no_nickname"}


@needs_prometheus
def test_a_miscount_is_seen(seen: Seen) -> None:
    wrong = {**seen.counted, "client": {**seen.counted["client"], "answered": seen.sent["answered"] + 1}}
    assert not replace(seen, counted=wrong).is_right()


@needs_prometheus
def test_the_report(seen: Seen, tmp_path: Path) -> None:
    report(seen, {"seed": 1}, tmp_path)
    written = json.loads((tmp_path / "observability.json").read_text())
    assert {"date", "machine", "seed", "phases"} <= written.keys()
    assert written["counted"] == seen.counted
    answered = seen.sent["answered"]
    assert f"| answered | {answered} | {answered} | {answered} |" in (tmp_path / "observability.md").read_text()
    assert (tmp_path / "observability.png").read_bytes().startswith(b"\x89PNG")


@needs_prometheus
def test_every_rule_is_healthy_and_finds_its_metrics(seen: Seen, prometheus: Prometheus) -> None:
    rules = {rule["name"]: (rule["health"], rule.get("lastError", "")) for rule in prometheus.rules()}
    assert "CanaryFailing" in rules
    assert set(rules.values()) == {("ok", "")}
    for recorded in (
        "instance:gender_requests:rate5m",
        "tensor:gender_missing_inputs:share1h",
        "model:genderclient_predictions:increase1h",
        "model_le:genderclient_probability:share1h",
    ):
        assert prometheus.value(recorded) > 0, recorded
    assert prometheus.value("model:genderclient_errors:ratio_rate5m") == 0


@needs_prometheus
@pytest.mark.parametrize("metric", sorted(SDK_METRICS))
def test_the_client_shows_what_dashboard_and_rules_ask_for(seen: Seen, prometheus: Prometheus, metric: str) -> None:
    assert prometheus.value(f"count({metric})") > 0


@needs_prometheus
def test_a_scrape_that_does_not_come_is_not_waited_for_for_ever(prometheus: Prometheus) -> None:
    with pytest.raises(TimeoutError, match=r"did not scrape every target within 0\.2 s"):
        prometheus.wait_for_scrape(time.time() + 1000, timeout_s=0.2)


def test_it_says_how_to_install_prometheus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reliability.monitoring.prometheus.shutil.which", lambda _: None)
    with (
        pytest.raises(LaunchError, match="there is no prometheus; install it, on Debian with: apt-get install prom"),
        running_prometheus({}),
    ):
        pass


@pytest.mark.parametrize("last_words", ["", "print('ready')"])
def test_a_product_that_ends_is_named(last_words: str) -> None:
    command = [sys.executable, "-c", f"{last_words}\nraise SystemExit(3)"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
        pytest.raises(ProductError, match=r"perf\.product ended with exit code 3"),
    ):
        Product(process, "").ask(Phase("nobody is there", 1, 0, seconds=1))


def test_the_last_of_the_phases_is_full_of_garbage() -> None:
    quiet, busy, garbage = phases(clients=8, seconds=60)
    assert quiet.clients < busy.clients == garbage.clients
    assert quiet.bad == busy.bad < garbage.bad
