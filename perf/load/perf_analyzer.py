"""Triton's own load generator, perf_analyzer 2.51, on a server of ours; `make perf-tools` installs it.

It is the last one whose binary runs on Debian 12 and is found in a package registry: inside the wheel of
tritonclient 2.51, which lies in a folder of its own, for its dependencies contradict those of this project.
"""

import csv
import re
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.launch.process import Server
from server.launch.runtime import find_wheel

from .process_stats import cpu_seconds

FOLDER: Final = Path(sys.prefix) / "perf_analyzer"
# What the binary is linked against, by the name it asks for, and as Triton's wheel has it.
LIBRARIES: Final = {"libb64.so.0d": "libb64-*.so*", "libcudart.so.12": "libcudart-*.so*"}
# It measures at least three windows, into which `seconds` are divided, and more only where one saw no request end.
WINDOWS: Final = 3
MAX_WINDOWS: Final = 10
# It asks windows to agree within so many percent; ours need not: medians over rounds tell how stable a figure is.
ANY: Final = 100_000
PERCENTILES: Final = (50, 90, 95, 99)
PROTOCOLS: Final = ("grpc", "http")


class PerfAnalyzerError(RuntimeError):
    """There is no perf_analyzer, or it could not measure; the message says what to do or what it said."""


@dataclass(frozen=True)
class Load:
    """A model over one of `PROTOCOLS`, by so many clients at once or, if `rate` is set, so often a second."""

    model: str
    protocol: str
    concurrency: int = 1
    rate: float = 0

    @property
    def flags(self) -> list[str]:
        """As perf_analyzer takes it; what comes at a rate comes as independent users do (Poisson)."""
        if self.rate:
            return [f"--request-rate-range={self.rate:g}", "--request-distribution=poisson"]
        return [f"--concurrency-range={self.concurrency}"]


def measure(server: Server, load: Load, data: Path, seconds: float) -> dict[str, float]:
    """Put a load on a server: requests a second, percentiles of the latency, ms, and the server's CPU, ms a request.

    `data` is a file of `workload.write_perf_analyzer_data`. CPU is that of the server and all its children.

    Raises:
        PerfAnalyzerError: it is not installed, or a request failed.
    """
    cpu, requests = cpu_seconds(server.process.pid), answered(server, load.model)
    found = _run(server, load, data, seconds)
    spent, done = cpu_seconds(server.process.pid) - cpu, answered(server, load.model) - requests
    return {**found, "cpu_ms": 1000 * spent / done}


def answered(server: Server, model: str) -> float:
    """How many requests of a model a server has answered well so far, as its metrics say."""
    with urllib.request.urlopen(f"http://{server.metrics_url}/metrics", timeout=10) as response:
        metrics = response.read().decode()
    found = re.findall(rf'^nv_inference_request_success{{model="{model}",.*}} (\S+)$', metrics, re.MULTILINE)
    return sum(map(float, found))


def _run(server: Server, load: Load, data: Path, seconds: float) -> dict[str, float]:
    binary = FOLDER / "bin" / "perf_analyzer"
    if not binary.is_file():
        raise PerfAnalyzerError(f"no perf_analyzer in {FOLDER}; install it with: make perf-tools")
    url = server.grpc_url if load.protocol == "grpc" else server.http_url
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "measured.csv"
        command = [str(binary), "-m", load.model, "-u", url, "-i", load.protocol, f"--input-data={data}", *load.flags]
        windows = ["-p", str(round(1000 * seconds / WINDOWS)), "-r", str(MAX_WINDOWS), "-s", str(ANY)]
        done = subprocess.run(
            [*command, *windows, "-f", str(table)], env=_environment(), capture_output=True, text=True, check=False
        )
        if done.returncode or not table.is_file():
            said = " ".join((done.stderr or done.stdout).split())
            raise PerfAnalyzerError(f"perf_analyzer on {load}: {said or f'exit code {done.returncode}'}")
        return _read(table)


def _read(table: Path) -> dict[str, float]:
    with table.open(newline="") as file:
        row = next(csv.DictReader(file))
    latencies = {f"p{rank}_ms": float(row[f"p{rank} latency"]) / 1000 for rank in PERCENTILES}
    return {"per_s": float(row["Inferences/Second"]), **latencies}


def _environment() -> dict[str, str]:
    """Where the binary finds its libraries: links beside it to those of Triton's wheel."""
    links, libraries = FOLDER / "lib", find_wheel().libraries
    links.mkdir(exist_ok=True)
    for name, pattern in LIBRARIES.items():
        with suppress(FileExistsError):
            (links / name).symlink_to(next(libraries.glob(pattern)))
    return {"LD_LIBRARY_PATH": str(links)}
