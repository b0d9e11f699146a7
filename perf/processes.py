"""What a server and its children use: CPU time, and memory by model."""

from collections import defaultdict
from pathlib import Path

import psutil


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


def _family(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _model(command: list[str]) -> str:
    """A stub's first argument is the file it serves, <model>/<version>/<file>."""
    return Path(command[1]).parts[-3] if command[0].endswith("_stub") else Path(command[0]).name
