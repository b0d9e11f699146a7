"""Read the metrics of a server."""

import re
import time
import urllib.request
from typing import Final, NamedTuple

from tests.support.tritonserver import Server

# prometheus_client would append `_total` to the names of Triton's counters.
LINE: Final = re.compile(r"^([a-z]\w*)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
LABEL: Final = re.compile(r'(\w+)="([^"]*)"')

# The client's metrics in OpenTelemetry's Prometheus exporter that the dashboard and the rules use.
SDK_METRICS: Final = {
    "genderclient_predictions_total",
    "genderclient_errors_total",
    "genderclient_probability_bucket",
    "genderclient_probability_count",
    "genderclient_weight_avatar_bucket",
    "genderclient_duration_seconds_bucket",
}


class Sample(NamedTuple):
    name: str
    labels: dict[str, str]
    value: float


def scrape(server: Server) -> list[Sample]:
    """All samples at `/metrics`."""
    with urllib.request.urlopen(f"http://{server.metrics_url}/metrics", timeout=10) as page:
        lines = LINE.findall(page.read().decode())
    return [Sample(name, dict(LABEL.findall(labels)), float(value)) for name, labels, value in lines]


def total(server: Server, name: str, **labels: str) -> float:
    """The sum of a metric over all series with these labels."""
    samples = (sample for sample in scrape(server) if sample.name == name)
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def total_once(server: Server, expected: float, name: str, **labels: str) -> float:
    """Like `total`, but wait for the expected value for up to 5 s: Triton counts a moment after it responds."""
    deadline = time.monotonic() + 5
    while (value := total(server, name, **labels)) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    return value
