"""A Ray cluster with several workers, on loopback, in a process of its own; all of it is gone when left."""

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

# The first makes Ray, on any system, use the loopback address and listen nowhere else.
VARIABLES: Final = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}
STOP_S: Final = 20.0
PROGRAM: Final = """
import sys
import ray

ray.init("local", num_cpus=int(sys.argv[1]), include_dashboard=False, _temp_dir=sys.argv[2], log_to_driver=False)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
"""


@dataclass(frozen=True)
class Cluster:
    """`variables` lead a driver to it; `folder` has its logs."""

    process: psutil.Process
    variables: dict[str, str]
    folder: Path

    def busy(self) -> list[psutil.Process]:
        """The workers that have a task of Ray Data now."""
        return [child for child in self.process.children(recursive=True) if _title(child).startswith("ray::Map")]


@contextmanager
def running_cluster(workers: int) -> Iterator[Cluster]:
    """Start a cluster of so many workers."""
    # Not below pytest's folder: the paths of Ray's sockets would be too long there.
    with tempfile.TemporaryDirectory() as folder, _program(str(workers), folder) as child:
        assert child.stdin and child.stdout
        family: list[psutil.Process] = []
        try:
            address = child.stdout.readline().strip()
            assert address.startswith("127.0.0.1:"), f"Ray did not start on loopback: {address!r}"
            process = psutil.Process(child.pid)
            family = process.children(recursive=True)
            yield Cluster(process, {**VARIABLES, "RAY_ADDRESS": address}, Path(folder))
        finally:
            child.stdin.close()
            child.wait()
            _, alive = psutil.wait_procs(family, STOP_S)
            assert not alive


def _program(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **VARIABLES},
    )


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
