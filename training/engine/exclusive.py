"""One process at a time trains a run, also after the command that started it was killed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread

from .errors import ConfigError


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock the folder of a run.

    Raises:
        ConfigError: Another process has locked it.
    """
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{folder}: another process trains there; wait for it, or choose another --out") from None
        yield


def end_with_parent() -> None:
    """End this process, a worker of `multiprocessing`, when the process that started it ends, even if it is killed."""
    parent = parent_process()
    assert parent

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
