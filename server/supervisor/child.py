"""One supervised tritonserver: its command line, its process, and the cleanup after it."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from server.edge.admin_lock import KEY_VARIABLE, admin_key
from server.errors import LaunchError
from server.launch.flags import Flags, with_defaults
from server.launch.process import LAUNCHER, end, signals_blocked, spawn
from server.launch.shared_memory import SharedMemory
from server.triton_control import METADATA_PREFIX, TritonControl, admin_metadata

from .ports import listens
from .stubs import living_stubs

DEFAULTS: Final = {
    "model-control-mode": "explicit",
    "load-model": "*",
    # A broken model must not prevent serving the others.
    "exit-on-error": "false",
    # On SIGTERM, Triton waits this long for requests in flight, and for idle connections too.
    "exit-timeout-secs": "5",
}
LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
# How long Triton takes to end beyond --exit-timeout-secs, at most.
EXIT_S: Final = 5.0
CALL_TIMEOUT_S: Final = 1.0
LOAD_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True)
class Command:
    """A complete command line of tritonserver, and what the supervisor needs to know about it.

    Attributes:
        grace_s: How long Triton may take to end.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    repositories: tuple[Path, ...]
    control: TritonControl
    grace_s: float

    @classmethod
    def parse(cls, arguments: Sequence[str], launcher: Sequence[str] = LAUNCHER) -> "Command":
        """Complete the flags that a user wrote for tritonserver; `launcher` is the command that becomes it.

        Raises:
            LaunchError: With these flags, the server cannot be watched or its models cannot be reloaded.
        """
        complete = with_defaults(list(arguments), DEFAULTS)
        flags = Flags(complete)
        if (mode := flags.last("model-control-mode", "")) != "explicit":
            raise LaunchError(f"--model-control-mode={mode} does not allow reloading models; omit the flag")
        if not flags.allows("allow-grpc", default=True):
            raise LaunchError("--allow-grpc=false leaves no endpoint to watch; omit the flag")
        key = admin_key()
        metadata = {**admin_metadata(key), **_metadata(flags.all("grpc-restricted-protocol"))}
        return cls(
            (*launcher, *complete),
            {**os.environ, KEY_VARIABLE: key},
            tuple(map(Path, flags.all("model-repository") + flags.all("model-store"))),
            TritonControl(_grpc_url(flags), metadata, CALL_TIMEOUT_S, LOAD_TIMEOUT_S),
            _exit_timeout_s(flags) + EXIT_S,
        )


def _grpc_url(flags: Flags) -> str:
    port = flags.last("grpc-port", "8001")
    if not port.isdecimal():
        raise LaunchError(f"--grpc-port: expected a port number, got {port}")
    address = flags.last("grpc-address", "127.0.0.1")
    host = LOOPBACK_OF.get(address, address)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _exit_timeout_s(flags: Flags) -> int:
    seconds = flags.last("exit-timeout-secs", "")
    if not seconds.isdecimal():
        raise LaunchError(f"--exit-timeout-secs: expected whole seconds, got {seconds}")
    return int(seconds)


def _metadata(restricted: Sequence[str]) -> dict[str, str]:
    """The metadata that unlocks restricted services, each given as `<services>:<header>=<value>`."""
    pairs = (each.partition(":")[2].partition("=") for each in restricted)
    return {f"{METADATA_PREFIX}{header}": value for header, _, value in pairs if header}


class Child:
    """A running server; its log goes to `log`, or to this process' own output."""

    def __init__(self, command: Command, log: IO[bytes] | None) -> None:
        self._grpc_port = int(command.control.url.rpartition(":")[2])
        self._grace_s = command.grace_s
        with signals_blocked():
            self._shared_memory = SharedMemory()
            self._process = spawn([*command.argv, self._shared_memory.flag], log, command.environment)
            self._ended = False
            self._listened = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def end(self, grace_s: float | None = None) -> None:
        """End it and its stubs, and free its shared memory.

        Args:
            grace_s: Seconds for requests in flight; by default what its command allows.
        """
        with signals_blocked():
            if not self._ended:
                end(self._process, self._grace_s if grace_s is None else grace_s)
                self._shared_memory.free()
                self._ended = True

    def listens(self) -> bool:
        """Whether it is this process that listens on the gRPC port; if another one does, it starts in vain."""
        # Once it listens, it does until it ends.
        self._listened = self._listened or listens(self.pid, self._grpc_port)
        return self._listened

    def end_stubs(self, stubs: Sequence[int]) -> None:
        """Kill those of these stubs that still run: when one stub dies, Triton 2.51 forgets the model's others."""
        for pid in set(stubs) & living_stubs(self.pid).keys():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code if it ends in time."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None
