"""Sandboxes for the replica that is harmed, so that a full disk or a wrong clock affects nothing else."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from . import faketime_launcher

DISK_MB: Final = 64
SHARED_MEMORY_MB: Final = 256
# $1 is the folder to mount the disk at; Triton's log goes there too.
MOUNT_DISKS: Final = f"""
mount -t tmpfs -o size={SHARED_MEMORY_MB}m tmpfs /dev/shm && mount -t tmpfs -o size={DISK_MB}m tmpfs "$1" || exit 1
disk=$1; shift; export TMPDIR=$disk; exec "$@" 2> "$disk/log"
"""


class SandboxUnavailable(Exception):
    """This machine cannot provide a sandbox; the message gives the reason in one line."""


@dataclass(frozen=True)
class Sandbox:
    """How a replica is started: a prefix of its command, the supervisor's module, and environment variables."""

    prefix: tuple[str, ...] = ()
    module: str = "server.supervisor"
    environment: Mapping[str, str] = field(default_factory=dict)


def no_sandbox(folder: Path) -> Sandbox:
    """Start the replica as in production."""
    return Sandbox()


def private_disks(folder: Path) -> Sandbox:
    """Give the replica a small `/dev/shm` and a small disk at `<folder>/disk`, in a mount namespace of its own.

    Raises:
        SandboxUnavailable: Mounting is not permitted.
    """
    disk = folder / "disk"
    disk.mkdir()
    prefix = ("unshare", "--mount", "sh", "-c", MOUNT_DISKS, "sh", str(disk))
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True, text=True)
    except FileNotFoundError as exc:
        raise SandboxUnavailable("unshare is not installed") from exc
    except subprocess.CalledProcessError as exc:
        reason = exc.stderr.strip().splitlines() or ["no reason given"]
        raise SandboxUnavailable(f"cannot mount: {reason[-1]}") from exc
    return Sandbox(prefix)


def private_clock(folder: Path) -> Sandbox:
    """Give the replica a clock that is offset by the seconds in `<folder>/clock`, such as `+3600`.

    Raises:
        SandboxUnavailable: libfaketime is not installed.
    """
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        raise SandboxUnavailable("libfaketime is not installed; on Debian: apt-get install faketime")
    clock = folder / "clock"
    clock.write_text("+0")
    environment = {
        faketime_launcher.LIBRARY: str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        # When a real clock is set, the monotonic clock does not jump.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    return Sandbox(module=faketime_launcher.__name__, environment=environment)
