"""Triton's own load generator, perf_analyzer 2.51; `make perf-tools` installs it.

2.51 is the last release whose binary runs on Debian 12 and is in a package registry: in the wheel of tritonclient 2.51.
The wheel has a folder of its own because its dependencies contradict those of this project.
"""

import csv
import re
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Final

from server.launch.process import Server
from server.launch.runtime import find_wheel

from ..report.experiment import MeasurementError
from .process_stats import cpu_seconds

FOLDER: Final = Path(sys.prefix) / "perf_analyzer"
# The libraries that the binary links against, and their names in Triton's wheel.
LIBRARIES: Final = {"libb64.so.0d": "libb64-*.so*", "libcudart.so.12": "libcudart-*.so*"}
# perf_analyzer measures at least three windows, and more only if no request ended in one of them.
WINDOWS: Final = 3
MAX_WINDOWS: Final = 10
# Disables its stability check: the range over rounds shows how stable a figure is.
STABILITY_PERCENT: Final = 100_000
PERCENTILES: Final = (50, 90, 95, 99)
PROTOCOLS: Final = ("grpc", "http")


class PerfAnalyzerError(MeasurementError):
    """perf_analyzer is not installed or failed."""


def measure(
    server: Server,
    model: str,
    protocol: str,
    data: Path,
    seconds: float,
    clients: int = 1,
    rate_per_s: float = 0,
) -> dict[str, float]:
    """Put a load on a server: a closed loop of `clients` or, if `rate_per_s` is set, Poisson arrivals.

    `protocol` is one of `PROTOCOLS`, `data` a file of `workload.perf_analyzer_data`. Returns the rate `per_s`,
    percentiles of the latency such as `p99_ms`, and the CPU time of the server and its children per request `cpu_ms`.

    Raises:
        PerfAnalyzerError: perf_analyzer is not installed, or a request failed.
    """
    url = server.grpc_url if protocol == "grpc" else server.http_url
    load = [f"--concurrency-range={clients}"]
    if rate_per_s:
        load = [f"--request-rate-range={rate_per_s:g}", "--request-distribution=poisson"]
    cpu, requests = cpu_seconds(server.process.pid), successes(server, model)
    figures = _run(["-m", model, "-u", url, "-i", protocol, f"--input-data={data}", *load], seconds)
    spent, done = cpu_seconds(server.process.pid) - cpu, successes(server, model) - requests
    return {**figures, "cpu_ms": 1000 * spent / done}


def successes(server: Server, model: str) -> float:
    """Return how many requests for a model succeeded so far, from the metrics of the server."""
    with urllib.request.urlopen(f"http://{server.metrics_url}/metrics", timeout=10) as response:
        metrics = response.read().decode()
    counts = re.findall(rf'^nv_inference_request_success{{model="{model}",.*}} (\S+)$', metrics, re.MULTILINE)
    return sum(map(float, counts))


def _run(flags: list[str], seconds: float) -> dict[str, float]:
    binary = FOLDER / "bin" / "perf_analyzer"
    if not binary.is_file():
        raise PerfAnalyzerError(f"no perf_analyzer in {FOLDER}; install it with: make perf-tools")
    windows = ["-p", str(round(1000 * seconds / WINDOWS)), "-r", str(MAX_WINDOWS), "-s", str(STABILITY_PERCENT)]
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "measured.csv"
        command = [str(binary), *flags, *windows, "-f", str(table)]
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode or not table.is_file():
            log = " ".join((done.stderr or done.stdout).split())
            raise PerfAnalyzerError(f"perf_analyzer {' '.join(flags)}: {log or f'exit code {done.returncode}'}")
        with table.open(newline="") as file:
            row = next(csv.DictReader(file))
    latencies = {f"p{rank}_ms": float(row[f"p{rank} latency"]) / 1000 for rank in PERCENTILES}
    return {"per_s": float(row["Inferences/Second"]), **latencies}


def _environment() -> dict[str, str]:
    """Link the libraries from Triton's wheel under the names that the binary asks for."""
    links, libraries = FOLDER / "lib", find_wheel().libraries
    links.mkdir(exist_ok=True)
    for name, pattern in LIBRARIES.items():
        with suppress(FileExistsError):
            (links / name).symlink_to(next(libraries.glob(pattern)))
    return {"LD_LIBRARY_PATH": str(links)}
