"""A supervised server with a model repository of its own, as a child process that can be harmed."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from server.launch.process import ROOT, free_ports, port_flags
from server.supervisor.stubs import living_stubs
from server.triton_control import TritonControl

from .sandboxes import Place, plain

READY_S: Final = 120.0
POLL_S: Final = 0.05


class ReplicaError(RuntimeError):
    """The replica does not do what a drill needs; one line."""


@dataclass
class Replica:
    """Its addresses are `host:port`; `folder` holds its repository and whatever its place put there."""

    folder: Path
    place: Place
    ports: list[int] = field(default_factory=lambda: free_ports(4))
    process: subprocess.Popen[bytes] | None = None

    @property
    def http_url(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    @property
    def grpc_url(self) -> str:
        return f"127.0.0.1:{self.ports[1]}"

    @property
    def control(self) -> TritonControl:
        return TritonControl(self.grpc_url)

    @property
    def repository(self) -> Path:
        return self.folder / "models"

    def start(self, *arguments: str) -> None:
        """Start the supervisor, which starts the server; `arguments` are of either."""
        command = [
            *(*self.place.prefix, sys.executable, "-m", self.place.module, f"--status-port={self.ports[3]}"),
            *(f"--model-repository={self.repository}", *port_flags(self.ports[:3]), *arguments),
        ]
        with (self.folder / "said").open("ab") as said:
            environment = {**os.environ, **self.place.environment}
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=self._log())

    def _log(self) -> int:
        return os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def said(self) -> list[str]:
        """What the supervisor has said so far, without the time."""
        lines = (line.partition(" supervisor: ") for line in (self.folder / "said").read_text().splitlines())
        return [action for _, mark, action in lines if mark]

    def is_ready(self) -> bool:
        """What the supervisor says of it."""
        return self.status("/ready")[0] == 200

    def status(self, path: str) -> tuple[int, str]:
        """The supervisor's answer: HTTP code, 0 where there is none, and text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[3], timeout=2)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float = READY_S) -> float:
        """Poll until the condition holds; returns the seconds. Raises ReplicaError when it does not in time."""
        started_s = time.monotonic()
        while not condition():
            if time.monotonic() - started_s > timeout_s:
                raise ReplicaError(f"not {what} after {timeout_s:g} s; the supervisor said: {self.said()}")
            time.sleep(POLL_S)
        return time.monotonic() - started_s

    def server_pid(self) -> int:
        """tritonserver's process id."""
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        if not children:
            raise ReplicaError("there is no tritonserver")
        return int(children[0])

    def stubs(self, model: str) -> list[int]:
        """The process ids of a model's stubs."""
        return [pid for pid, loaded in living_stubs(self.server_pid()).items() if loaded.model == model]

    def kill_stub(self, model: str) -> None:
        os.kill(self.stubs(model)[0], signal.SIGKILL)

    def stop(self) -> int:
        """End it as whoever runs it would; returns the supervisor's exit code."""
        assert self.process
        self.process.terminate()
        return self.process.wait()

    def end(self) -> None:
        """End it without waiting for what a server is waiting for."""
        if self.process is None or self.process.poll() is not None:
            return
        with suppress(ReplicaError, ProcessLookupError):
            os.killpg(self.server_pid(), signal.SIGKILL)
        self.stop()


@contextmanager
def replica(folder: Path, *arguments: str, place: Callable[[Path], Place] = plain) -> Iterator[Replica]:
    """A replica that was started, not yet ready; `arguments` are of the supervisor or of tritonserver.

    Raises:
        Impossible: there is no such place here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started = Replica(folder, place(folder))
    shutil.copytree(ROOT / "model_repository", started.repository)
    try:
        started.start(*arguments)
        yield started
    finally:
        started.end()
