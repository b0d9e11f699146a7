"""OpenTelemetry: what it records of a prediction, and what it never records."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from genderclient import Client, FakeTransport, InvalidAvatar, ServerError, Status
from genderclient.telemetry import _histogram
from tests.support.client.fakes import Recorder, failing, respond_list

NICKNAME = "planted-nickname"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """Shared by the process: OpenTelemetry accepts one provider."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture(scope="module")
def reader() -> InMemoryMetricReader:
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    return reader


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    assert data
    (resource,) = data.resource_metrics
    scopes = [scope for scope in resource.scope_metrics if scope.scope.name == "genderclient"]
    return {metric.name: list(metric.data.data_points) for scope in scopes for metric in scope.metrics}


def test_context_of_span_is_sent(spans: InMemorySpanExporter) -> None:
    recorder = Recorder()
    with Client(transport=FakeTransport(recorder)) as client:
        client.predict(nickname=NICKNAME)
    (span,) = spans.get_finished_spans()
    (request,) = recorder.requests
    assert span.context
    assert request.headers["traceparent"].startswith(f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-")
    assert dict(span.attributes or {}) == {
        "model": "gender_mobilenet",
        "version": "1",
        "attempts": 1,
        "request_id": request.request_id,
    }


def test_context_of_unsampled_span_is_not_sent(spans: InMemorySpanExporter) -> None:
    recorder = Recorder()
    unsampled = trace.NonRecordingSpan(trace.SpanContext(trace_id=1, span_id=1, is_remote=False))
    with trace.use_span(unsampled), Client(transport=FakeTransport(recorder)) as client:
        client.predict(nickname=NICKNAME)
    (request,) = recorder.requests
    assert "traceparent" not in request.headers
    assert not spans.get_finished_spans()


def test_error_is_recorded_by_type(spans: InMemorySpanExporter) -> None:
    with Client(transport=failing(Status.FAILED, NICKNAME)) as client:
        with pytest.raises(ServerError):
            client.predict(nickname=NICKNAME)
        with pytest.raises(InvalidAvatar):
            client.predict(avatar=f"/nowhere/{NICKNAME}")
    failed, unreadable = spans.get_finished_spans()
    assert [span.attributes and span.attributes["error.type"] for span in (failed, unreadable)] == [
        "ServerError",
        "InvalidAvatar",
    ]
    assert not failed.status.is_ok
    assert NICKNAME not in failed.to_json() + unreadable.to_json()


def test_metrics(reader: InMemoryMetricReader, spans: InMemorySpanExporter) -> None:
    with Client(transport=FakeTransport(Recorder())) as client:
        client.predict(nickname=NICKNAME)
    metric_points = points(reader)
    predicted = next(point for point in metric_points["genderclient.predictions"] if point.attributes["model"])
    assert dict(predicted.attributes) == {"model": "gender_mobilenet", "version": "1", "gender": "male", "arm": ""}
    for name, value in (("genderclient.probability", 0.25), ("genderclient.weight.avatar", 0.5)):
        (point,) = metric_points[name]
        assert (point.min, point.max, point.attributes["model"]) == (value, value, "gender_mobilenet")
    assert sum(point.count for point in metric_points["genderclient.duration"]) >= 1
    assert NICKNAME not in str(metric_points)


def test_no_exemplar_links_a_gender_to_a_trace(reader: InMemoryMetricReader, spans: InMemorySpanExporter) -> None:
    tracer = trace.get_tracer("product")
    with tracer.start_as_current_span("GET /user/42"), Client(transport=FakeTransport(Recorder())) as client:
        client.predict(nickname=NICKNAME)
    metric_points = points(reader)
    linked = {
        name
        for name, of_metric in metric_points.items()
        for point in of_metric
        if any(exemplar.trace_id for exemplar in point.exemplars)
    }
    assert linked == {"genderclient.duration"}


def test_results_and_errors_are_counted(reader: InMemoryMetricReader, spans: InMemorySpanExporter) -> None:
    with Client(transport=failing(Status.FAILED, NICKNAME)) as client, pytest.raises(ServerError):
        client.rank(nickname=NICKNAME, model="rank_failing")
    with Client(transport=FakeTransport(respond_list)) as client:
        client.rank(nickname=NICKNAME)
    metric_points = points(reader)
    attributes = [dict(point.attributes) for point in metric_points["genderclient.results"]]
    assert attributes == [{"question": "rank", "model": "rank_mobilenet", "version": "1", "arm": ""}]
    failed = [dict(point.attributes) for point in metric_points["genderclient.errors"]]
    assert {"question": "rank", "model": "rank_failing", "error.type": "ServerError"} in failed


def test_predict_works_without_opentelemetry() -> None:
    script = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from genderclient import Client, FakeTransport\n"
        "from tests.support.client.fakes import respond_male\n"
        "print(Client(transport=FakeTransport(respond_male)).predict(nickname='小美').gender)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "male\n"


def test_names_of_trace_headers_are_lower_case(spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr("genderclient.telemetry.inject", lambda headers: headers.update({"X-Amzn-Trace-Id": "Root=1"}))
    with Client(transport=FakeTransport(recorder)) as client:
        client.predict(nickname=NICKNAME)
    (request,) = recorder.requests
    assert request.headers["x-amzn-trace-id"] == "Root=1"
    assert spans.get_finished_spans()


def test_meters_without_bucket_boundaries_are_used() -> None:
    class OldMeter:
        """That of OpenTelemetry before 1.30."""

        def create_histogram(self, name: str, unit: str = "", description: str = "") -> tuple[str, str]:
            return name, unit

    meter: Any = OldMeter()
    histogram: Any = _histogram(meter, "genderclient.duration", [1.0], "s")
    assert histogram == ("genderclient.duration", "s")
