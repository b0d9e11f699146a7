"""A tritonserver as a child process: ready when entered, gone when left."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import SystemRandom
from typing import IO

LAUNCHER = (sys.executable, "-m", "server.launch.launcher")
ROOT = Path(__file__).resolve().parents[2]
POLL_S = 0.1
STOP_S = 10.0
# Of the others Linux may give one to an outgoing connection before the server that was to have it listens.
NOT_EPHEMERAL = range(10_000, 32_768)
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StartError(RuntimeError):
    """The server did not come up. `reason` is one line for a person; the message ends with the whole log."""

    def __init__(self, reason: str, log: str) -> None:
        super().__init__(f"{reason}\n{log}")
        self.reason = reason


@dataclass(frozen=True)
class Server:
    """A running server; the URLs are `host:port`, as tritonclient takes them."""

    http_url: str
    grpc_url: str
    metrics_url: str
    process: subprocess.Popen[bytes]
    log_file: Path

    def log(self) -> str:
        """What it has written so far, stdout and stderr."""
        return self.log_file.read_text(errors="replace")


@contextmanager
def running_triton(
    model_repository: Path,
    *args: str,
    ports: Sequence[int] | None = None,
    timeout_s: float = 60.0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Serve a model repository on loopback, with further flags of Triton's own.

    `ports` are those of HTTP, gRPC and metrics; free ones by default. `environment` comes on top of this process'
    own. With `--exit-on-error=false --strict-readiness=false` the server counts as ready although models failed to
    load.

    Raises:
        StartError: it ended or was not ready in time.
    """
    if ports:
        check_free(ports)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        with signals_held():
            ports = ports or free_ports(3)
            server = _start(model_repository, args, ports, Path(folder) / "log", {**os.environ, **(environment or {})})
            stack.callback(end, server.process)
        _wait_ready(server, timeout_s)
        yield server


def free_ports(count: int) -> list[int]:
    """Distinct TCP ports that nothing listened on a moment ago."""
    return list(islice(filter(_is_free, SystemRandom().sample(NOT_EPHEMERAL, len(NOT_EPHEMERAL))), count))


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


@contextmanager
def signals_held() -> Iterator[None]:
    """Let nobody stop us between the start of a child and the promise to end it, nor while we keep it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def check_free(ports: Sequence[int]) -> None:
    """Before starting: a server that is already there would be taken for the new one.

    Raises:
        StartError: something listens there.
    """
    if taken := [port for port in ports if not _is_free(port)]:
        raise StartError(f"port {taken[0]} on 127.0.0.1 is in use; stop what listens there", "")


def port_flags(ports: Sequence[int]) -> list[str]:
    """Those of Triton for the ports of HTTP, gRPC and metrics."""
    return [f"--{service}-port={port}" for service, port in zip(("http", "grpc", "metrics"), ports, strict=True)]


def _start(
    model_repository: Path, args: Sequence[str], ports: Sequence[int], log_file: Path, environment: Mapping[str, str]
) -> Server:
    # Relative where it can be: a space in the path to this repository then does not reach Triton.
    repository = os.path.relpath(model_repository.resolve(), ROOT)
    command = [*LAUNCHER, f"--model-repository={repository}", *port_flags(ports), *args]
    with log_file.open("wb") as log:
        process = spawn(command, log, environment, ROOT)
    http_url, grpc_url, metrics_url = (f"127.0.0.1:{port}" for port in ports)
    return Server(http_url, grpc_url, metrics_url, process, log_file)


def spawn(
    command: Sequence[str], log: IO[bytes] | None, environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own: its stubs are ended with it even where Triton itself was killed.

    It writes to `log`, or where this process does, and works in `folder`, or where this process does.
    """
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=_take_signals,
    )


def _take_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def _wait_ready(server: Server, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not _is_ready(server.http_url):
        if server.process.poll() is not None:
            log = server.log()
            raise StartError(failure_in(log) or f"tritonserver ended with {server.process.returncode}", log)
        if time.monotonic() > deadline:
            raise StartError(f"tritonserver was not ready after {timeout_s:g} s", server.log())
        time.sleep(POLL_S)


def failure_in(log: str) -> str:
    """What the launcher refused, else the first model that Triton failed to load, else nothing."""
    patterns = (r"^tritonserver: (.+)", r'^E\d+ .*\] "?(failed to load .+?)"?$', r"^error: (.+)")
    found = (re.search(pattern, log, re.MULTILINE) for pattern in patterns)
    return next((match.group(1) for match in found if match), "")


def _is_ready(http_url: str) -> bool:
    connection = http.client.HTTPConnection(http_url, timeout=5)
    try:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def end(process: subprocess.Popen[bytes], grace_s: float = STOP_S) -> None:
    """End it kindly, then its whole process group for certain, also where Ctrl-C comes again meanwhile.

    So many seconds it has for the requests in flight; 0 kills at once.
    """
    with signals_held():
        if grace_s:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
