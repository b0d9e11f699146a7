"""A real tritonserver for a test, from the same place that `make run` and `make serve` take theirs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from server.launch import process
from server.launch.process import LAUNCHER, ROOT, Server, free_ports

__all__ = ["LAUNCHER", "ROOT", "Server", "free_ports", "running_triton"]

# Whom most tests ask about.
NICKNAMES = ("小美", "国强")


@contextmanager
def running_triton(*args: Any, **options: Any) -> Iterator[Server]:
    """As `server.launch.process.running_triton`; whatever was asked meanwhile, no nickname may be in its log."""
    with process.running_triton(*args, **options) as server:
        yield server
        log = server.log()
    assert not [nickname for nickname in NICKNAMES if nickname in log]
