"""A real Prometheus scrapes a real Triton and client: it counts what was sent, and its rules work."""

import multiprocessing
import shutil
import time
from collections.abc import Iterator

import pytest

from perf.report.experiment import Measurement, MeasurementError
from reliability.monitoring.experiment import Monitoring, load_phases, record
from reliability.monitoring.instrumented_client import InstrumentedClient, LoadPhase, running_client
from reliability.monitoring.prometheus import Prometheus, running_prometheus
from reliability.monitoring.queries import COUNTS, SERIES
from server.errors import LaunchError
from tests.support.scrape import SDK_METRICS
from tests.support.tritonserver import Server

needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed")


@pytest.fixture(scope="module")
def client(observed: Server) -> Iterator[InstrumentedClient]:
    with running_client(observed, users=16, seed=1) as client:
        yield client


@pytest.fixture(scope="module")
def prometheus(observed: Server, client: InstrumentedClient) -> Iterator[Prometheus]:
    with running_prometheus({"triton": [observed.metrics_url], "product": [client.metrics_url]}) as prometheus:
        yield prometheus


@pytest.fixture(scope="module")
def measured(prometheus: Prometheus, client: InstrumentedClient) -> Measurement:
    phases = [LoadPhase("calm", 1, 0.1, seconds=1.5), LoadPhase("garbage", 4, 0.5, seconds=1.5)]
    return record(prometheus, client, phases)


@needs_prometheus
def test_server_and_client_count_what_was_sent(measured: Measurement) -> None:
    sent, counted = measured.metadata["sent"], measured.metadata["counted"]
    assert [goal.met for goal in Monitoring().goals(measured)] == [True, True], (sent, counted)
    assert counted.keys() == COUNTS.keys()
    assert min(number for name, number in sent.items() if name != "missing NICKNAME") > 0
    assert set(measured.rows["phase"]) == {"calm", "garbage"}
    empty = {name for name, value in measured.rows[list(SERIES)].max().items() if not value > 0}
    assert empty <= {"waiting", "no_nickname"}
    assert Monitoring().failure(measured) == ""
    assert Monitoring().chart(measured)


@needs_prometheus
def test_miscount_is_a_failure(measured: Measurement) -> None:
    sent, counted = measured.metadata["sent"], measured.metadata["counted"]
    wrong = {**counted, "client": {**counted["client"], "answered": sent["answered"] + 1}}
    assert Monitoring().failure(Measurement(measured.rows, {"sent": sent, "counted": wrong}))


@needs_prometheus
def test_every_rule_is_healthy_and_finds_its_metrics(measured: Measurement, prometheus: Prometheus) -> None:
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
def test_client_exports_metrics_of_dashboard_and_rules(
    measured: Measurement, prometheus: Prometheus, metric: str
) -> None:
    assert prometheus.value(f"count({metric})") > 0


@needs_prometheus
def test_wait_for_scrape_times_out(prometheus: Prometheus) -> None:
    with pytest.raises(MeasurementError, match=r"did not scrape every target within 0\.2 s"):
        prometheus.wait_for_scrape(time.time() + 1000, timeout_s=0.2)


def test_missing_prometheus_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reliability.monitoring.prometheus.shutil.which", lambda _: None)
    with pytest.raises(LaunchError, match="Prometheus is not installed; on Debian: apt-get"), running_prometheus({}):
        pass


def test_exited_client_is_an_error() -> None:
    pipe, child_pipe = multiprocessing.Pipe()
    child_pipe.close()
    with pipe, pytest.raises(MeasurementError, match="the client exited"):
        InstrumentedClient("", pipe).run(LoadPhase("calm", 1, 0, seconds=1))


def test_only_last_phase_is_mostly_invalid() -> None:
    quiet, busy, garbage = load_phases(clients=8, seconds=60)
    assert quiet.clients < busy.clients == garbage.clients
    assert quiet.bad == busy.bad < garbage.bad
