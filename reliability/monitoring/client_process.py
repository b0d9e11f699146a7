"""The instrumented client as a child process."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict

from perf.report.experiment import MeasurementError
from server.launch.process import ROOT, Server, free_ports

from . import instrumented_client
from .instrumented_client import LoadPhase


class ClientProcess:
    """A running `instrumented_client`; `metrics_url` is `host:port`.

    Raises:
        MeasurementError: It exited before it was ready.
    """

    def __init__(self, process: "subprocess.Popen[str]", metrics_url: str) -> None:
        self.metrics_url = metrics_url
        self._process = process
        self._read_line()

    def run(self, phase: LoadPhase) -> Counter[str]:
        """Run a phase and return the counts of its results.

        Raises:
            MeasurementError: The client exited.
        """
        assert self._process.stdin is not None
        # Unbuffered: a line left in the buffer of a dead process would raise when the pipe is closed.
        with suppress(BrokenPipeError):
            os.write(self._process.stdin.fileno(), f"{json.dumps(asdict(phase))}\n".encode())
        return Counter(json.loads(self._read_line()))

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise MeasurementError(f"the client exited with {self._process.wait()}; its traceback is above")
        return line


@contextmanager
def running_client(server: Server, users: int, seed: int) -> Iterator[ClientProcess]:
    """Start a client of `server` with `users` distinct users.

    Raises:
        MeasurementError: It exited before it was ready.
    """
    (port,) = free_ports(1)
    options = (f"--url=grpc://{server.grpc_url}", f"--metrics-port={port}", f"--users={users}", f"--seed={seed}")
    command = [sys.executable, "-m", instrumented_client.__name__, *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield ClientProcess(process, f"127.0.0.1:{port}")
        finally:
            process.terminate()
