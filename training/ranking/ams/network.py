"""Two hosts of our own on this machine: network namespaces, joined by a virtual cable. Needs root and `ip`."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import psutil

# Reserved for documentation (RFC 5737), so no real host has them.
_ADDRESSES: Final = ("192.0.2.1", "192.0.2.2")
_INTERFACE: Final = "cable"
_STOP_S: Final = 20.0


class NetworkUnavailable(RuntimeError):
    """Namespaces cannot be made here."""


@dataclass(frozen=True)
class Host:
    """A network namespace with one interface."""

    name: str
    address: str

    def command(self, *arguments: str) -> list[str]:
        """Return a command that runs in this namespace."""
        return ["ip", "netns", "exec", self.name, *arguments]


def cable_bytes() -> int:
    """Return the bytes that crossed the cable, both ways, as the namespace of this process counts them."""
    counters = psutil.net_io_counters(pernic=True)[_INTERFACE]
    return counters.bytes_sent + counters.bytes_recv


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Make two namespaces that reach each other and nothing else. All processes in them end with the block.

    Raises:
        NetworkUnavailable: `ip` is missing, or this process may not make namespaces.
    """
    first, second = (Host(f"ams-{os.getpid()}-{index}", address) for index, address in enumerate(_ADDRESSES))
    try:
        for host in (first, second):
            _ip("netns", "add", host.name)
        cable = ("link", "add", _INTERFACE, "type", "veth", "peer", "name", _INTERFACE, "netns", second.name)
        _ip("-n", first.name, *cable)
        for host in (first, second):
            _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", _INTERFACE)
            for interface in ("lo", _INTERFACE):
                _ip("-n", host.name, "link", "set", interface, "up")
        yield first, second
    finally:
        for host in (first, second):
            with suppress(NetworkUnavailable):
                _end_processes(host)
                _ip("netns", "delete", host.name)


def _end_processes(host: Host) -> None:
    processes = []
    for pid in _ip("netns", "pids", host.name).split():
        with suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(int(pid)))
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, _STOP_S)


def _ip(*arguments: str) -> str:
    try:
        return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout
    except OSError as exc:
        raise NetworkUnavailable(f"expected the command ip of iproute2: {exc.strerror}") from exc
    except subprocess.CalledProcessError as exc:
        raise NetworkUnavailable(f"ip {arguments[0]}: {exc.stderr.strip()}; it needs root") from exc
