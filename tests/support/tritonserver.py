"""A real tritonserver for tests, started as `make run` and `make serve` start theirs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from server.edge.admin_lock import HEADER, admin_key
from server.launch import process
from server.launch.process import LAUNCHER, ROOT, Server, free_ports

__all__ = ["ADMIN_HEADERS", "LAUNCHER", "ROOT", "Server", "free_ports", "running_triton"]

# Unlocks the administrative APIs over HTTP.
ADMIN_HEADERS: Final = {HEADER: admin_key()}
# The nicknames that most tests send.
NICKNAMES = ("小美", "国强")


@contextmanager
def running_triton(*args: Any, **options: Any) -> Iterator[Server]:
    """Like `server.launch.process.running_triton`, and check that the log contains no nickname."""
    with process.running_triton(*args, **options) as server:
        yield server
        log = server.log()
    assert not [nickname for nickname in NICKNAMES if nickname in log]
