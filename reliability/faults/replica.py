"""A supervised server with its own model repository, as a child process that faults can be injected into."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from perf.load.served import REPOSITORY
from perf.report.experiment import MeasurementError
from server.catalog import GENDER, Catalog
from server.checksums import record_all
from server.launch.launcher import COMPLETE_FLAG
from server.launch.process import ROOT, free_ports, port_flags
from server.supervisor.stubs import living_stubs
from server.triton_control import TritonControl

from .sandboxes import Sandbox, no_sandbox

READY_S: Final = 120.0
POLL_S: Final = 0.05


def logged_events(log: str) -> Iterator[dict[str, Any]]:
    """Parse the JSON lines of a log; a disk that is full cuts lines off."""
    for line in log.splitlines():
        with suppress(ValueError):
            yield json.loads(line)


class ReplicaError(MeasurementError):
    """A replica is not in the state that an experiment needs; the message is one line."""


@dataclass
class Replica:
    """A supervisor and its server. `folder` holds its model repository and the files of its sandbox."""

    folder: Path
    sandbox: Sandbox
    ports: list[int] = field(default_factory=lambda: free_ports(4))
    process: subprocess.Popen[bytes] | None = None

    @property
    def http_url(self) -> str:
        """`host:port` of Triton's HTTP endpoint."""
        return f"127.0.0.1:{self.ports[0]}"

    @property
    def grpc_url(self) -> str:
        """`host:port` of Triton's gRPC endpoint."""
        return f"127.0.0.1:{self.ports[1]}"

    @property
    def control(self) -> TritonControl:
        return TritonControl(self.grpc_url)

    @property
    def repository(self) -> Path:
        return self.folder / "models"

    def start(self, *arguments: str) -> None:
        """Start the supervisor, which starts the server; each picks its own options from `arguments`."""
        command = [
            *(*self.sandbox.prefix, sys.executable, "-m", self.sandbox.module, f"--status-port={self.ports[3]}"),
            *(f"--model-repository={self.repository}", *port_flags(self.ports[:3]), COMPLETE_FLAG, *arguments),
        ]
        environment = {**os.environ, **self.sandbox.environment}
        with (self.folder / "supervisor.log").open("ab") as actions, (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=actions, stderr=log)

    def actions(self) -> list[str]:
        """Return what the supervisor has done so far, without what its canaries reported."""
        events = logged_events((self.folder / "supervisor.log").read_text())
        own = (each for each in events if each["source"] == "supervisor")
        return [str(each["message"]) for each in own if not each["event"].startswith("canary_")]

    def is_ready(self) -> bool:
        """Return whether the supervisor reports the replica as ready, and HTTP is open.

        The supervisor asks by gRPC, which Triton opens a moment before HTTP.
        """
        host, _, port = self.http_url.rpartition(":")
        with socket.socket() as connection:
            connection.settimeout(2)
            return self.status("/ready")[0] == 200 and connection.connect_ex((host, int(port))) == 0

    def status(self, path: str) -> tuple[int, str]:
        """GET a path of the supervisor; return the HTTP status, 0 if there is no answer, and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[3], timeout=2)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float = READY_S) -> None:
        """Poll until the condition holds; `what` names it in the error.

        Raises:
            ReplicaError: It does not hold within `timeout_s`.
        """
        started_s = time.monotonic()
        while not condition():
            if time.monotonic() - started_s > timeout_s:
                raise ReplicaError(f"not {what} after {timeout_s:g} s; supervisor: {self.actions()}")
            time.sleep(POLL_S)

    def server_pid(self) -> int:
        """Return tritonserver's process id."""
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        if not children:
            raise ReplicaError("tritonserver is not running")
        return int(children[0])

    def stubs(self, model: str) -> list[int]:
        """Return the process ids of a model's stubs."""
        return [pid for pid, loaded in living_stubs(self.server_pid()).items() if loaded.model == model]

    def kill_stub(self, model: str) -> None:
        os.kill(self.stubs(model)[0], signal.SIGKILL)

    def stop(self) -> int:
        """Stop the supervisor with SIGTERM, as an operator would, and return its exit code."""
        assert self.process
        self.process.terminate()
        return self.process.wait()

    def kill(self) -> None:
        """Kill the server and stop the supervisor, without waiting for requests in flight."""
        if self.process is None or self.process.poll() is not None:
            return
        with suppress(ReplicaError, ProcessLookupError):
            os.killpg(self.server_pid(), signal.SIGKILL)
        self.stop()


@contextmanager
def running_replica(
    folder: Path, *arguments: str, sandbox: Callable[[Path], Sandbox] = no_sandbox, recorded: bool = False
) -> Iterator[Replica]:
    """Start a replica; it is not ready yet.

    Args:
        folder: Holds its files.
        *arguments: Options of the supervisor or of tritonserver.
        sandbox: How it is started.
        recorded: Give its repository a `SHA256SUMS`, as in production, so that the server reads a private copy. Without
            it, the server reads the files themselves, and faults can corrupt them.

    Raises:
        SandboxUnavailable: This machine cannot provide the sandbox.
    """
    folder.mkdir(parents=True, exist_ok=True)
    replica = Replica(folder, sandbox(folder))
    for model in _gender_models():
        shutil.copytree(REPOSITORY / model, replica.repository / model)
    if recorded:
        record_all(replica.repository)
    try:
        replica.start(*arguments)
        yield replica
    finally:
        replica.kill()


def _gender_models() -> set[str]:
    """The ensembles that the load generators call, and their models."""
    ensembles = Catalog(REPOSITORY).ensembles(GENDER)
    return {name for each in ensembles for name in (each.name, *each.steps)}
