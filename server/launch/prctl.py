"""Linux's rules for orphaned processes: a child dies with its parent, and orphans are handed to this process."""

import ctypes
import os
import time
from contextlib import suppress
from typing import Final

# From <linux/prctl.h>.
_SET_PARENT_DEATH_SIGNAL: Final = 1
_SET_CHILD_SUBREAPER: Final = 36
_LIBC: Final = ctypes.CDLL(None)
_TIMEOUT_S: Final = 1.0
_POLL_S: Final = 0.01


def die_with_parent(parent: int, number: int) -> None:
    """Called in a new child: the kernel sends it this signal when the thread that started it ends, even by SIGKILL."""
    _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, number)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent dies, as process 1 of a container is anyway."""
    _LIBC.prctl(_SET_CHILD_SUBREAPER, 1)


def reap_group(group: int) -> None:
    """Remove the zombies of killed children in this process group; those of other parents are not touched."""
    deadline_s = time.monotonic() + _TIMEOUT_S
    with suppress(ChildProcessError):
        while time.monotonic() < deadline_s:
            if os.waitpid(-group, os.WNOHANG) == (0, 0):
                time.sleep(_POLL_S)
