"""One tritonserver under supervision: where it listens, how it starts, and that nothing of it stays."""

import os
import secrets
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from server.edge.admin_lock import HEADER, KEY_VARIABLE
from server.errors import LaunchError
from server.launch.flags import Flags, with_defaults
from server.launch.process import LAUNCHER, STOP_S, end, signals_held, spawn

from .control import Control
from .stubs import living_stubs

DEFAULTS: Final = {
    "model-control-mode": "explicit",
    "load-model": "*",
    # Told to end, Triton waits so long not only for requests in flight, but also for whoever keeps a connection open.
    "exit-timeout-secs": "5",
}
SHARED_MEMORY: Final = Path("/dev/shm")
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True)
class Command:
    """A complete command line of tritonserver, and what the supervisor has to know of it."""

    launcher: tuple[str, ...]
    arguments: tuple[str, ...]
    repositories: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    grpc_url: str
    control: Control

    @classmethod
    def of(cls, arguments: Sequence[str], launcher: Sequence[str] = LAUNCHER) -> "Command":
        """Reads what a user wrote for tritonserver; `launcher` becomes it.

        Raises:
            LaunchError: with these flags the server cannot be watched or its models not be loaded anew.
        """
        complete = with_defaults(list(arguments), DEFAULTS)
        flags = Flags(complete)
        if (mode := flags.last("model-control-mode", "")) != "explicit":
            raise LaunchError(f"--model-control-mode={mode} lets nobody load a model anew; leave the flag out")
        for service in ("http", "grpc"):
            if not flags.allows(f"allow-{service}", default=True):
                raise LaunchError(f"--allow-{service}=false leaves nothing to ask; leave the flag out")
        repositories = flags.all("model-repository") + flags.all("model-store")
        http, grpc = _address(flags, "http", "8000"), _address(flags, "grpc", "8001")
        # Where the launcher locks model control, the supervisor has to have the key.
        key = os.environ.get(KEY_VARIABLE) or secrets.token_hex(32)
        return cls(
            tuple(launcher),
            tuple(complete),
            tuple(repositories),
            {**os.environ, KEY_VARIABLE: key},
            f"{_host(grpc[0])}:{grpc[1]}",
            Control(http[0], http[1], {HEADER: key, **_keys(flags.all("http-restricted-api"))}),
        )


def _address(flags: Flags, service: str, port: str) -> tuple[str, int]:
    address = flags.last(f"{service}-address", "127.0.0.1")
    given = flags.last(f"{service}-port", port)
    if not given.isdecimal():
        raise LaunchError(f"--{service}-port={given} is no port; expected a number")
    return EVERYWHERE.get(address, address), int(given)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _keys(restricted: Sequence[str]) -> dict[str, str]:
    """The headers that open restricted services, each given as `<services>:<header>=<value>`."""
    pairs = (each.partition(":")[2].partition("=") for each in restricted)
    return {header: value for header, _, value in pairs if header}


class Child:
    """A running server; its log goes to `log`, or where this process writes."""

    def __init__(self, command: Command, log: IO[bytes] | None) -> None:
        # A name of its own tells what is left in shared memory from what others still use.
        self._shared_memory = f"triton_{os.getpid()}_{os.urandom(4).hex()}_"
        shared = f"--backend-config=python,shm-region-prefix-name={self._shared_memory}"
        with signals_held():
            self._process = spawn([*command.launcher, *command.arguments, shared], log, command.environment)
            self._ended = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it lives."""
        return self._process.poll()

    def end(self, grace_s: float = STOP_S) -> None:
        """End it and all its stubs, after so many seconds for the requests in flight, and free its shared memory."""
        if self._ended:
            return
        self._ended = True
        end(self._process, grace_s)
        for region in SHARED_MEMORY.glob(f"{self._shared_memory}*"):
            region.unlink(missing_ok=True)

    def end_stubs(self, stubs: Sequence[int]) -> None:
        """End those of these stubs that still run: Triton forgets the others of a model whose first one died."""
        for pid in set(stubs) & living_stubs(self.pid).keys():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code if it ends in time."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None
