"""Fixtures that several folders use."""

from collections.abc import Iterator

import pytest

from tests.support.otlp import Receiver, receiving
from tests.support.tritonserver import ROOT, Server, running_triton


@pytest.fixture(scope="session")
def triton() -> Iterator[Server]:
    """A Triton with the project's model repository, started once per session."""
    with running_triton(ROOT / "model_repository") as server:
        yield server


@pytest.fixture(scope="session")
def traces() -> Iterator[Receiver]:
    """The receiver of the traces of `observed`."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def observed(traces: Receiver) -> Iterator[Server]:
    """Like `triton`, with all observability on: latency percentiles, and a trace of one request in 1,000."""
    settings = {
        "mode": "opentelemetry",
        "opentelemetry,url": traces.url,
        "opentelemetry,bsp_schedule_delay": "100",
        "level": "TIMESTAMPS",
        "rate": "1000",
    }
    flags = [f"--trace-config={name}={value}" for name, value in settings.items()]
    with running_triton(ROOT / "model_repository", "--metrics-config=summary_latencies=true", *flags) as server:
        yield server
