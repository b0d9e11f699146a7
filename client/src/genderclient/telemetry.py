"""Traces and metrics through OpenTelemetry, if the application has imported it.

Each call is a span, such as `genderclient.predict` or `genderclient.rank`, whose context is sent to the server. The
metrics are:

    genderclient.predictions    counter, by model, version, gender, arm
    genderclient.results        counter of other results, by question, model, version, arm
    genderclient.errors         counter, by question, model, error.type
    genderclient.probability    histogram of P(female), by model, version
    genderclient.weight.avatar  histogram, by model, version
    genderclient.duration       histogram, seconds, by question

No span contains an avatar, a nickname, a user's id, or the predicted gender.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

from opentelemetry.context import Context, attach, detach
from opentelemetry.metrics import Histogram, Meter, get_meter
from opentelemetry.propagate import inject
from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span, get_tracer

from genderclient._exceptions import GenderClientError
from genderclient._flow import Call, Extension, Flow
from genderclient._models import ModelResult, Prediction
from genderclient._questions.question import R

_SHARES: Final = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
_SECONDS: Final = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]


@cache
def telemetry() -> "Telemetry":
    """The instruments, which all clients of the process share."""
    return Telemetry()


class Telemetry(Extension):
    """Traces and counts calls."""

    def __init__(self) -> None:
        self._tracer = get_tracer("genderclient")
        meter = get_meter("genderclient")
        self._predictions = meter.create_counter("genderclient.predictions")
        self._results = meter.create_counter("genderclient.results")
        self._errors = meter.create_counter("genderclient.errors")
        self._probability = _histogram(meter, "genderclient.probability", _SHARES)
        self._weight = _histogram(meter, "genderclient.weight.avatar", _SHARES)
        self._duration = _histogram(meter, "genderclient.duration", _SECONDS, unit="s")

    def handle(self, call: Call[R], proceed: Callable[[Call[R]], Flow[R]]) -> Flow[R]:
        question = {"question": call.question.name}
        started_s = time.perf_counter()
        # An exception's message can contain a path, so only its type is recorded.
        with self._tracer.start_as_current_span(
            f"genderclient.{call.question.name}",
            kind=SpanKind.CLIENT,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                result = yield from proceed(replace(call, headers={**call.headers, **_trace_headers()}))
            except GenderClientError as error:
                self._record_error(span, error, question)
                raise
            finally:
                self._duration.record(time.perf_counter() - started_s, question)
            self._record_result(span, result, question)
            return result

    def _record_result(self, span: Any, result: ModelResult, question: dict[str, str]) -> None:
        model = {"model": result.model, "version": result.version}
        span.set_attributes({**model, "attempts": result.attempts, "request_id": result.request_id})
        if isinstance(result, Prediction):
            self._record_prediction(result, model)
        else:
            self._results.add(1, {**question, **model, "arm": result.arm or ""})

    def _record_prediction(self, prediction: Prediction, model: dict[str, str]) -> None:
        # Outside any span: an exemplar would link the gender to the trace of the user.
        token = attach(Context())
        try:
            self._predictions.add(1, {**model, "gender": prediction.gender, "arm": prediction.arm or ""})
            self._probability.record(prediction.probabilities.female, model)
            self._weight.record(prediction.weights.avatar, model)
        finally:
            detach(token)

    def _record_error(self, span: Any, error: GenderClientError, question: dict[str, str]) -> None:
        kind = {"model": error.model or "", "error.type": type(error).__name__}
        span.set_attributes({**kind, "attempts": error.attempts, "request_id": error.request_id})
        span.set_status(Status(StatusCode.ERROR))
        self._errors.add(1, {**question, **kind})


def _histogram(meter: Meter, name: str, boundaries: list[float], unit: str = "") -> Histogram:
    try:
        return meter.create_histogram(name, unit, explicit_bucket_boundaries_advisory=boundaries)
    except TypeError:  # OpenTelemetry before 1.30
        return meter.create_histogram(name, unit)


def _trace_headers() -> dict[str, str]:
    """The context of a sampled span. Triton traces every request that carries one. Names are lower case for gRPC."""
    headers: dict[str, str] = {}
    if get_current_span().get_span_context().trace_flags.sampled:
        inject(headers)
    return {name.lower(): value for name, value in headers.items()}
