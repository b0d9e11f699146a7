"""Where the replica that will be harmed runs, so that nobody else on this machine is harmed with it."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from . import faketime_launcher as clocked
from .faketime_launcher import LIBRARY

DISK_MB: Final = 64
SHARED_MEMORY_MB: Final = 256
# $1 is the folder that becomes a small disk of its own; Triton's log goes there too.
OWN_DISKS: Final = f"""
mount -t tmpfs -o size={SHARED_MEMORY_MB}m tmpfs /dev/shm && mount -t tmpfs -o size={DISK_MB}m tmpfs "$1" || exit 1
disk=$1; shift; export TMPDIR=$disk; exec "$@" 2> "$disk/log"
"""


class Impossible(Exception):
    """This machine has no such place; the message says why."""


@dataclass(frozen=True)
class Place:
    """What goes before the command of a replica and into its environment, and which supervisor it is."""

    prefix: tuple[str, ...] = ()
    module: str = "server.supervisor"
    environment: Mapping[str, str] = field(default_factory=dict)


def plain(folder: Path) -> Place:
    """As anybody runs it."""
    return Place()


def own_disks(folder: Path) -> Place:
    """With a small shared memory and a small `<folder>/disk` that nobody else sees; they can be filled.

    Raises:
        Impossible: we may not mount.
    """
    disk = folder / "disk"
    disk.mkdir()
    prefix = ("unshare", "--mount", "sh", "-c", OWN_DISKS, "sh", str(disk))
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True, text=True)
    except FileNotFoundError as exc:
        raise Impossible("there is no unshare") from exc
    except subprocess.CalledProcessError as exc:
        reason = exc.stderr.strip().splitlines() or ["no reason given"]
        raise Impossible(f"no mounts of its own: {reason[-1]}") from exc
    return Place(prefix)


def own_clock(folder: Path) -> Place:
    """With a clock that is as wrong as the file `<folder>/clock` says, in seconds: `+3600`.

    Raises:
        Impossible: there is no libfaketime.
    """
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        raise Impossible("there is no libfaketime; on Debian: apt-get install faketime")
    clock = folder / "clock"
    clock.write_text("+0")
    environment = {
        LIBRARY: str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        # A clock that is set jumps; the monotonic one does not.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    return Place(module=clocked.__name__, environment=environment)
