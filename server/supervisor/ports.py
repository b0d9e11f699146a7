"""Which process listens on a port: another Triton must not be mistaken for the supervised one."""

from contextlib import suppress
from pathlib import Path
from typing import Final

LISTENING: Final = "0A"  # the kernel's TCP_LISTEN


def listens(pid: int, port: int) -> bool:
    """Whether a process listens on a TCP port. False if it ended or belongs to another user."""
    sockets = {f"socket:[{inode}]" for inode in _listeners(pid, port)}
    with suppress(OSError):
        return any(_link(file) in sockets for file in Path(f"/proc/{pid}/fd").iterdir())
    return False


def _listeners(pid: int, port: int) -> set[str]:
    """The inodes of the listening sockets of that port in the network namespace of a process."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state, *_, inode = line.split()[:10]
                if state == LISTENING and int(local.rpartition(":")[2], 16) == port:
                    inodes.add(inode)
    return inodes


def _link(file: Path) -> str:
    with suppress(OSError):  # closed meanwhile
        return str(file.readlink())
    return ""
