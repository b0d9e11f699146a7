"""What a server and its children use: CPU time, memory by model, and what else may leak."""

import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

import psutil

T = TypeVar("T")

_SHARED: Final = re.compile(r" (/dev/shm/\S+)$", re.MULTILINE)


def cpu_seconds(pid: int) -> float:
    """What a process and its living descendants have used so far, user and system."""
    times = [process.cpu_times() for process in _family(pid)]
    return sum(each.user + each.system for each in times)


def resident_mb(pid: int) -> dict[str, float]:
    """Memory of tritonserver and of each model's stubs together; what processes share counts in parts (PSS)."""
    found: defaultdict[str, float] = defaultdict(float)
    for process in _family(pid):
        found[_model(process.cmdline())] += process.memory_full_info().pss / 1e6
    return {name: round(size, 1) for name, size in sorted(found.items())}


def held_mb(pid: int) -> dict[str, float]:
    """Memory of tritonserver and of each model's stubs together that is no file's: heaps and stacks.

    Unlike `resident_mb` it does not depend on what else runs here and shares libraries with them.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for process in _family(pid):
        found[_model(process.cmdline())] += _anonymous_mb(process.pid)
    return dict(sorted(found.items()))


def own_mb() -> float:
    """The same of this process without its children."""
    return _anonymous_mb(os.getpid())


def _anonymous_mb(pid: int) -> float:
    (size,) = re.findall(r"^RssAnon:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(size) * 1024 / 1e6


def handles(pid: int) -> dict[str, int]:
    """Open file descriptors and threads of a process and its living descendants."""
    family = _family(pid)
    return {
        "descriptors": sum(process.num_fds() for process in family),
        "threads": sum(process.num_threads() for process in family),
    }


def shared_mb(pid: int) -> float:
    """What of /dev/shm a process and its living descendants have mapped: the pages in use, each file once."""
    maps = (Path(f"/proc/{process.pid}/maps").read_text() for process in _family(pid))
    size = 0
    for file in {Path(name) for text in maps for name in _SHARED.findall(text)}:
        # It may be gone meanwhile.
        with suppress(FileNotFoundError):
            size += 512 * file.stat().st_blocks
    return size / 1e6


@contextmanager
def sampled(read: Callable[[], T], every_s: float) -> Iterator[list[T]]:
    """Read something again and again, in a thread of its own: when entered, every so often, and when left.

    Yields what was read so far; it grows. What `read` raises is raised when it is left.
    """
    found, failures, leave = [read()], list[Exception](), threading.Event()

    def work() -> None:
        due = time.monotonic()
        while not leave.wait(max(0.0, (due := due + every_s) - time.monotonic())):
            found.append(read())

    def work_safely() -> None:
        try:
            work()
        except Exception as exc:
            failures.append(exc)

    thread = threading.Thread(target=work_safely, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        leave.set()
        thread.join()
    if failures:
        raise failures[0]
    found.append(read())


def _family(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _model(command: list[str]) -> str:
    """A stub's first argument is the file it serves, <model>/<version>/<file>."""
    return Path(command[1]).parts[-3] if command[0].endswith("_stub") else Path(command[0]).name
