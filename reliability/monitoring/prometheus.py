"""Debian's Prometheus on loopback, with the configuration that ships: ready when entered, gone when left."""

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

from server.errors import LaunchError
from server.launch.process import ROOT, free_ports

CONFIG: Final = ROOT / "docker" / "prometheus" / "prometheus.yml"
READY_S: Final = 20.0
POLL_S: Final = 0.1


@dataclass(frozen=True)
class Prometheus:
    """A running one; times are seconds since the epoch."""

    url: str
    targets: int

    def value(self, expression: str) -> float:
        """What a PromQL expression is worth now; 0 for one without series."""
        found = self._get("query", query=expression)["result"]
        return sum(float(series["value"][1]) for series in found)

    def over_time(self, expression: str, start_s: float, end_s: float, step_s: float) -> "pd.Series[float]":
        """An expression of one series, by time; NaN where it had no value."""
        times = {"start": start_s, "end": end_s, "step": step_s}
        found = self._get("query_range", query=expression, **times)["result"]
        values = {float(moment): float(value) for series in found for moment, value in series["values"]}
        return pd.Series(values, dtype=float)

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, each with its `name`, `health` and `lastError`."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def wait_for_scrape(self, after_s: float, timeout_s: float = READY_S) -> None:
        """Return once every target was scraped later than `after_s`.

        Raises:
            TimeoutError: some target was not.
        """
        deadline = time.monotonic() + timeout_s
        while self.value(f"count(timestamp(up == 1) > {after_s})") < self.targets:
            if time.monotonic() > deadline:
                raise TimeoutError(f"prometheus did not scrape every target within {timeout_s:g} s")
            time.sleep(POLL_S)

    def _get(self, what: str, **query: Any) -> Any:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]


@contextmanager
def running_prometheus(targets: Mapping[str, list[str]], scrape_s: int = 1) -> Iterator[Prometheus]:
    """Scrape `targets`, `host:port` by job of the configuration, and judge them by its rules; other jobs are left out.

    Raises:
        LaunchError: there is no Prometheus, or it does not start.
    """
    binary = shutil.which("prometheus")
    if binary is None:
        raise LaunchError("there is no prometheus; install it, on Debian with: apt-get install prometheus")
    with tempfile.TemporaryDirectory() as name:
        folder, (port,) = Path(name), free_ports(1)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(_config(targets, scrape_s)))
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


def _config(targets: Mapping[str, list[str]], scrape_s: int) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    config["global"] = dict.fromkeys(("scrape_interval", "evaluation_interval"), f"{scrape_s}s")
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
            raise LaunchError(f"prometheus does not serve: {lines[-1] if lines else 'it says nothing'}")
        time.sleep(POLL_S)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
