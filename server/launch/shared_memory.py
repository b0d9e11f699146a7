"""The shared memory of one server and its Python stubs, also if its parent was killed before it could free it."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

FOLDER: Final = Path("/dev/shm")
OWNER: Final = "owner"


class SharedMemory:
    """Regions whose names start with `prefix`.

    A locked file marks them as used. The kernel releases the lock when this process dies, so that the next one
    finds regions without an owner; process ids would not do, since containers may share the folder but not the ids.
    """

    def __init__(self) -> None:
        free_orphans()
        self.prefix = f"triton_{os.getpid()}_{os.urandom(4).hex()}_"
        draft = FOLDER / f"{self.prefix}draft"
        draft.touch(mode=0o600)
        self._lock = draft.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # Only now: another process that starts removes an owner without a lock.
        draft.rename(FOLDER / f"{self.prefix}{OWNER}")

    @property
    def flag(self) -> str:
        """The flag of tritonserver that sets the prefix."""
        return f"--backend-config=python,shm-region-prefix-name={self.prefix}"

    def free(self) -> None:
        """Remove the regions."""
        _remove(self.prefix)
        self._lock.close()


def free_orphans() -> None:
    """Remove the regions of this user's processes that died."""
    for file in FOLDER.glob(f"triton_*_{OWNER}"):
        with suppress(OSError), file.open() as lock:  # used, or another user's
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(file.name.removesuffix(OWNER))


def _remove(prefix: str) -> None:
    for region in FOLDER.glob(f"{prefix}*"):
        region.unlink(missing_ok=True)
