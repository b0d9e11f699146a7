"""Reading what a server shows to Prometheus."""

import re
import time
import urllib.request
from typing import Final, NamedTuple

from tests.support.tritonserver import Server

# Not by prometheus_client: it puts `_total` behind the names of Triton's counters, which have none.
LINE: Final = re.compile(r"^([a-z]\w*)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
LABEL: Final = re.compile(r'(\w+)="([^"]*)"')

# What the client shows through OpenTelemetry's Prometheus exporter, as far as dashboard and rules ask for it.
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
    """Everything there is at `/metrics` now."""
    with urllib.request.urlopen(f"http://{server.metrics_url}/metrics", timeout=10) as page:
        lines = LINE.findall(page.read().decode())
    return [Sample(name, dict(LABEL.findall(labels)), float(value)) for name, labels, value in lines]


def total(server: Server, name: str, **labels: str) -> float:
    """The sum of a metric over all series with these labels."""
    samples = (sample for sample in scrape(server) if sample.name == name)
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def total_once(server: Server, expected: float, name: str, **labels: str) -> float:
    """The same, once it is as expected, or what it is after a while: Triton counts a moment after it answers."""
    deadline = time.monotonic() + 5
    while (found := total(server, name, **labels)) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
