"""Reading what a server shows to Prometheus."""

import urllib.request

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.tritonserver import Server


def scrape(server: Server) -> list[Metric]:
    """Everything there is at `/metrics` now."""
    with urllib.request.urlopen(f"http://{server.metrics_url}/metrics", timeout=10) as page:
        return list(text_string_to_metric_families(page.read().decode()))


def total(server: Server, name: str, **labels: str) -> float:
    """The sum of a metric over all series with these labels."""
    samples = (sample for family in scrape(server) for sample in family.samples if sample.name == name)
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())
