"""A real tritonserver for tests, started as `make run` and `make serve` start theirs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from perf.load.served import gender_ensembles
from server.edge.admin_lock import HEADER, admin_key
from server.launch import process
from server.launch.process import LAUNCHER, ROOT, Server, free_ports

__all__ = ["ADMIN_HEADERS", "LAUNCHER", "ROOT", "Server", "free_ports", "running_gender_models", "running_triton"]

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


@contextmanager
def running_gender_models(*flags: str) -> Iterator[Server]:
    """The project's gender ensembles and their models only, whose server starts faster than that of all models."""
    load = (f"--load-model={name}" for name in gender_ensembles().values())
    with running_triton(ROOT / "model_repository", "--model-control-mode=explicit", *load, *flags) as server:
        yield server
