"""Runs tritonserver as a child process."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from random import SystemRandom
from typing import IO, NoReturn

from server.launch.prctl import die_with_parent, reap_group
from server.launch.shared_memory import SharedMemory

LAUNCHER = (sys.executable, "-m", "server.launch.launcher")
ROOT = Path(__file__).resolve().parents[2]
POLL_S = 0.1
STOP_S = 10.0
# Below Linux's ephemeral ports: one of those may go to an outgoing connection before the new server listens on it.
PORTS = range(10_000, 32_768)
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StartError(RuntimeError):
    """The server did not start. `reason` is one line; the message also contains the whole log."""

    def __init__(self, reason: str, log: str) -> None:
        super().__init__(f"{reason}\n{log}")
        self.reason = reason


@dataclass(frozen=True)
class Server:
    """A running tritonserver. The URLs are `host:port`, as tritonclient expects them."""

    http_url: str
    grpc_url: str
    metrics_url: str
    process: subprocess.Popen[bytes]
    log_file: Path

    def log(self) -> str:
        """Return its output so far, stdout and stderr."""
        return self.log_file.read_text(errors="replace")


@contextmanager
def running_triton(
    model_repository: Path,
    *args: str,
    ports: Sequence[int] | None = None,
    timeout_s: float = 120.0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Serve a model repository on loopback until the context exits, which kills the server.

    With `--exit-on-error=false --strict-readiness=false`, the server is ready even if models fail to load.

    Args:
        model_repository: The folder to serve.
        *args: Further flags of tritonserver.
        ports: HTTP, gRPC and metrics; free ports by default.
        timeout_s: How long to wait until the server is ready.
        environment: Variables to add to this process's.

    Raises:
        StartError: The server exited or was not ready in time, or a port is in use.
    """
    if ports:
        check_free(ports)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        with signals_blocked():
            memory = SharedMemory()
            stack.callback(memory.free)
            flags, ports = (memory.flag, *args), ports or free_ports(3)
            server = _start(model_repository, flags, ports, Path(folder) / "log", {**os.environ, **(environment or {})})
            # On SIGTERM, Triton takes a second for each Python model.
            stack.callback(end, server.process, 0)
        _wait_ready(server, timeout_s)
        yield server


def free_ports(count: int) -> list[int]:
    """Return distinct TCP ports that are free now."""
    return list(islice(filter(_is_free, SystemRandom().sample(PORTS, len(PORTS))), count))


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Delay stop signals: until the cleanup of a new child is registered, and during the cleanup.

    A signal mask does not suffice: it covers one thread, another one receives the signal, and Python then runs the
    handler in the main thread. Handlers never run in other threads.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers = {number: signal.signal(number, lambda number, _: received.append(number)) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


def exit_on_stop_signals() -> None:
    """Raise SystemExit at the first stop signal and ignore the next ones, which would interrupt the cleanup.

    A hangup that `nohup` has made this process ignore stays ignored.
    """

    def stop(number: int, _: object) -> NoReturn:
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in unignored_stop_signals():
        signal.signal(number, stop)


def unignored_stop_signals() -> list[signal.Signals]:
    """Return the stop signals, without the hangup if `nohup` has made this process ignore it."""
    return [each for each in STOP_SIGNALS if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]


def check_free(ports: Sequence[int]) -> None:
    """Reject ports in use: the server that listens there would be mistaken for the new one.

    Raises:
        StartError: A port is in use.
    """
    if busy := [port for port in ports if not _is_free(port)]:
        raise StartError(f"port {busy[0]} on 127.0.0.1 is in use; stop the process that listens there", "")


def port_flags(ports: Sequence[int]) -> list[str]:
    """Return Triton's flags for the ports of HTTP, gRPC and metrics."""
    return [f"--{service}-port={port}" for service, port in zip(("http", "grpc", "metrics"), ports, strict=True)]


def _start(
    model_repository: Path, args: Sequence[str], ports: Sequence[int], log_file: Path, environment: Mapping[str, str]
) -> Server:
    # Relative, so that Triton does not see a space in the path of this checkout.
    repository = os.path.relpath(model_repository.resolve(), ROOT)
    command = [*LAUNCHER, f"--model-repository={repository}", *port_flags(ports), *args]
    with log_file.open("wb") as log:
        process = spawn(command, log, environment, ROOT)
    http_url, grpc_url, metrics_url = (f"127.0.0.1:{port}" for port in ports)
    return Server(http_url, grpc_url, metrics_url, process, log_file)


def spawn(
    command: Sequence[str],
    log: IO[bytes] | None,
    environment: Mapping[str, str],
    folder: Path | None = None,
    death_signal: int = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a child in its own session, so that its stubs can be killed even after Triton itself was.

    The child writes to `log` and runs in `folder`. Both default to those of this process. If the main thread starts it,
    it receives `death_signal` when this process dies.
    """
    parent = os.getpid() if threading.current_thread() is threading.main_thread() else None
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=partial(die_with_parent, parent, death_signal) if parent else None,
    )


def _wait_ready(server: Server, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not _is_ready(server):
        if server.process.poll() is not None:
            log = server.log()
            raise StartError(failure_in(log) or f"tritonserver exited with {server.process.returncode}", log)
        if time.monotonic() > deadline:
            raise StartError(f"tritonserver was not ready after {timeout_s:g} s", server.log())
        time.sleep(POLL_S)


def failure_in(log: str) -> str:
    """Return the launcher's error, else the first model that failed to load, else Triton's error, else ""."""
    patterns = (r"^tritonserver: (.+)", r'^E\d+ .*\] "?(failed to load .+?)"?$', r"^error: (.+)")
    matches = (re.search(pattern, log, re.MULTILINE) for pattern in patterns)
    return next((match.group(1) for match in matches if match), "")


def _is_ready(server: Server) -> bool:
    """Whether Triton is ready over HTTP, and has opened the port of its metrics, which is the last."""
    host, port = server.metrics_url.split(":")
    with suppress(OSError), closing(http.client.HTTPConnection(server.http_url, timeout=5)) as connection:
        connection.request("GET", "/v2/health/ready")
        if connection.getresponse().status == 200:
            socket.create_connection((host, int(port)), timeout=5).close()
            return True
    return False


def end(process: subprocess.Popen[bytes], grace_s: float = STOP_S) -> None:
    """Terminate a child of `spawn`, and kill its process group after `grace_s`, at once if this is 0.

    Stop signals do not interrupt the cleanup.
    """
    with signals_blocked():
        if grace_s:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reap_group(process.pid)
