"""Prometheus on loopback, with the rules and jobs of `docker/prometheus`."""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
import yaml

from perf.report.experiment import MeasurementError
from server.errors import LaunchError
from server.launch.process import ROOT, free_ports

CONFIG: Final = ROOT / "docker" / "prometheus" / "prometheus.yml"
READY_S: Final = 20.0
POLL_S: Final = 0.1
# Between two scrapes, and between two values over time.
STEP_S: Final = 1


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus that scrapes `targets` targets. Times are Unix times in seconds."""

    url: str
    targets: int

    def value(self, expression: str) -> float:
        """Evaluate PromQL now and return the sum of its series; 0 if there are none."""
        result = self._get("query", query=expression)["result"]
        return sum(float(series["value"][1]) for series in result)

    def over_time(self, expression: str, start_s: float, end_s: float) -> "pd.Series[float]":
        """Evaluate PromQL of one series over time, and return its values by time."""
        times = {"start": start_s, "end": end_s, "step": STEP_S}
        result = self._get("query_range", query=expression, **times)["result"]
        values = {float(moment): float(value) for series in result for moment, value in series["values"]}
        return pd.Series(values, dtype=float)

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule with `name`, `health` and `lastError`."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def wait_for_scrape(self, after_s: float, timeout_s: float = READY_S) -> None:
        """Wait until every target has been scraped later than `after_s`.

        Raises:
            MeasurementError: A target was not scraped within `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while self.value(f"count(timestamp(up == 1) > {after_s})") < self.targets:
            if time.monotonic() > deadline:
                raise MeasurementError(f"Prometheus did not scrape every target within {timeout_s:g} s")
            time.sleep(POLL_S)

    def _get(self, what: str, **query: Any) -> Any:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=30) as response:
            return json.load(response)["data"]


@contextmanager
def running_prometheus(targets: Mapping[str, list[str]]) -> Iterator[Prometheus]:
    """Scrape `targets` (`host:port` by job name) and evaluate the rules. Jobs without targets are left out.

    Raises:
        LaunchError: Prometheus is not installed or does not start.
    """
    binary = shutil.which("prometheus")
    if binary is None:
        raise LaunchError("Prometheus is not installed; on Debian: apt-get install prometheus")
    with tempfile.TemporaryDirectory() as name:
        folder, (port,) = Path(name), free_ports(1)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(_config(targets)))
        address = f"127.0.0.1:{port}"
        flags = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([binary, *flags, f"--web.listen-address={address}"], stdout=log, stderr=log)
        try:
            _wait(process, f"http://{address}", folder / "log")
            yield Prometheus(f"http://{address}", sum(map(len, targets.values())))
        finally:
            process.terminate()
            process.wait()


def _config(targets: Mapping[str, list[str]]) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    config["global"] = dict.fromkeys(("scrape_interval", "evaluation_interval"), f"{STEP_S}s")
    config["rule_files"] = [str(CONFIG.parent / file) for file in config["rule_files"]]
    config["scrape_configs"] = [
        {"job_name": job["job_name"], "static_configs": [{"targets": targets[job["job_name"]]}]}
        for job in config["scrape_configs"]
        if job["job_name"] in targets
    ]
    return config


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while not _is_ready(url):
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(errors="replace").splitlines()
            raise LaunchError(f"Prometheus does not start: {lines[-1] if lines else 'no log'}")
        time.sleep(POLL_S)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
