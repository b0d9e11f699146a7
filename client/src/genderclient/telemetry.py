"""Traces and metrics by OpenTelemetry, where the caller has it installed; nothing else.

A span `genderclient.predict` for each prediction, whose context travels to the server, and metrics: counters
`genderclient.predictions` (by model, version, gender, arm) and `genderclient.errors` (by model, error.type), histograms
`genderclient.probability` (of `female`), `genderclient.weight.avatar` and `genderclient.duration` (seconds). No span
holds an avatar, a nickname, a user's id, or what was guessed about him.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Final

from genderclient._exceptions import GenderClientError
from genderclient._models import Prediction

_SHARES: Final = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
_SECONDS: Final = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]


class Observation:
    """One prediction that nobody watches."""

    headers: Mapping[str, str] = {}

    def answered(self, prediction: Prediction) -> None:
        """Called with what the caller gets."""


@contextmanager
def observed() -> Iterator[Observation]:
    """Watches a prediction from its arguments to its end."""
    instruments = _instruments()
    if instruments is None:
        yield Observation()
        return
    started_s = time.perf_counter()
    with instruments.span() as span:
        observation = _Watched(instruments, span)
        try:
            yield observation
        except GenderClientError as error:
            observation.failed(error)
            raise
        finally:
            instruments.duration.record(time.perf_counter() - started_s)


class _Watched(Observation):
    def __init__(self, instruments: "_Instruments", span: Any) -> None:
        self._instruments = instruments
        self._span = span
        self.headers = instruments.context()

    def answered(self, prediction: Prediction) -> None:
        about = {"model": prediction.model, "version": prediction.version}
        self._span.set_attributes({**about, "attempts": prediction.attempts, "request_id": prediction.request_id})
        counted = {**about, "gender": prediction.gender, "arm": prediction.arm or ""}
        self._instruments.predictions.add(1, counted)
        self._instruments.probability.record(prediction.probabilities.female, about)
        self._instruments.weight.record(prediction.weights.avatar, about)

    def failed(self, error: GenderClientError) -> None:
        about = {"model": error.model or "", "error.type": type(error).__name__}
        self._span.set_attributes({**about, "attempts": error.attempts, "request_id": error.request_id})
        self._span.set_status(self._instruments.error)
        self._instruments.errors.add(1, about)


class _Instruments:
    """Raises ImportError where OpenTelemetry is not installed."""

    def __init__(self) -> None:
        from opentelemetry.metrics import get_meter
        from opentelemetry.propagate import inject
        from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span, get_tracer

        self._inject = inject
        self._current_span = get_current_span
        # What an exception says can hold a path: `failed` tells its type.
        self.span = partial(
            get_tracer("genderclient").start_as_current_span,
            "genderclient.predict",
            kind=SpanKind.CLIENT,
            record_exception=False,
            set_status_on_exception=False,
        )
        self.error = Status(StatusCode.ERROR)
        meter = get_meter("genderclient")
        self.predictions = meter.create_counter("genderclient.predictions")
        self.errors = meter.create_counter("genderclient.errors")
        self.probability = meter.create_histogram(
            "genderclient.probability", explicit_bucket_boundaries_advisory=_SHARES
        )
        self.weight = meter.create_histogram("genderclient.weight.avatar", explicit_bucket_boundaries_advisory=_SHARES)
        self.duration = meter.create_histogram(
            "genderclient.duration", unit="s", explicit_bucket_boundaries_advisory=_SECONDS
        )

    def context(self) -> dict[str, str]:
        """The headers that tell the server which trace this is part of; Triton traces whoever sends them."""
        headers: dict[str, str] = {}
        if self._current_span().get_span_context().trace_flags.sampled:
            self._inject(headers)
        return headers


@cache
def _instruments() -> _Instruments | None:
    try:
        return _Instruments()
    except ImportError:
        return None
