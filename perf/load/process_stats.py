"""Resources that a server and its child processes use: CPU time, memory by model, descriptors, threads."""

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
    """Return the CPU time of a process and its living descendants so far, user and system."""
    times = [process.cpu_times() for process in _family(pid)]
    return sum(each.user + each.system for each in times)


def pss_mb(pid: int) -> dict[str, float]:
    """Return the memory of tritonserver and of each model's stubs; shared pages count proportionally (PSS)."""
    sizes = _by_model(pid, lambda process: process.memory_full_info().pss / 1e6)
    return {name: round(size, 1) for name, size in sizes.items()}


def anonymous_mb(pid: int) -> dict[str, float]:
    """Return the heap and stack memory of tritonserver and of each model's stubs.

    Unlike PSS it does not depend on other processes that map the same libraries.
    """
    return _by_model(pid, lambda process: _anonymous_mb(process.pid))


def own_anonymous_mb() -> float:
    """Return the heap and stack memory of this process without its children."""
    return _anonymous_mb(os.getpid())


def _by_model(pid: int, size_mb: Callable[[psutil.Process], float]) -> dict[str, float]:
    sizes: defaultdict[str, float] = defaultdict(float)
    for process in _family(pid):
        sizes[_model(process.cmdline())] += size_mb(process)
    return dict(sorted(sizes.items()))


def _anonymous_mb(pid: int) -> float:
    (size,) = re.findall(r"^RssAnon:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(size) * 1024 / 1e6


def handles(pid: int) -> dict[str, int]:
    """Return the open file descriptors and the threads of a process and its living descendants."""
    family = _family(pid)
    return {
        "descriptors": sum(process.num_fds() for process in family),
        "threads": sum(process.num_threads() for process in family),
    }


def shared_mb(pid: int) -> float:
    """Return the used pages of the files in /dev/shm that a process or its descendants map; each file counts once."""
    maps = (Path(f"/proc/{process.pid}/maps").read_text() for process in _family(pid))
    size = 0
    for file in {Path(name) for text in maps for name in _SHARED.findall(text)}:
        # Another process may have deleted it since.
        with suppress(FileNotFoundError):
            size += 512 * file.stat().st_blocks
    return size / 1e6


@contextmanager
def sampled(read: Callable[[], T], every_s: float) -> Iterator[list[T]]:
    """Call `read` on entry, periodically in a thread, and on exit.

    Yields:
        The values so far; the list grows.

    Raises:
        Exception: On exit, what `read` raised in the thread.
    """
    samples, failures, stopped = [read()], list[Exception](), threading.Event()

    def work() -> None:
        due = time.monotonic()
        try:
            while not stopped.wait(max(0.0, (due := due + every_s) - time.monotonic())):
                samples.append(read())
        except Exception as exc:
            failures.append(exc)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stopped.set()
        thread.join()
    if failures:
        raise failures[0]
    samples.append(read())


def _family(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _model(command: list[str]) -> str:
    """Return the model of a stub, whose first argument is MODEL/VERSION/FILE, or the name of another program."""
    return Path(command[1]).parts[-3] if command[0].endswith("_stub") else Path(command[0]).name
