"""The transports of a client: opened with the first request, and again in a forked process or another event loop."""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, Final, Generic, TypeVar

from genderclient._exceptions import GenderClientError
from genderclient._flow import Extension
from genderclient._retry import RetryBudget
from genderclient._transports.replicas import Replicas

T = TypeVar("T")

_POOLS: Final["weakref.WeakSet[TransportPool[Any]]"] = weakref.WeakSet()


class Grpc:
    """Whether this process, or the one it was forked from, has used gRPC, which then fails in the forked process."""

    used: ClassVar[bool] = False
    crossed_fork: ClassVar[bool] = False
    # Closing a channel in the forked process could hang.
    abandoned: ClassVar[list[Any]] = []


class TransportPool(Generic[T]):
    """The transports to all servers, their state, and the extensions, whose threads do not survive a fork.

    Args:
        count: Number of servers.
        open_all: Opens the transports to all servers.
        make_extensions: Creates the extensions.
        uses_grpc: Whether one of the transports uses gRPC.
    """

    def __init__(
        self,
        count: int,
        *,
        open_all: Callable[[], list[T]],
        make_extensions: Callable[[], list[Extension]],
        uses_grpc: bool,
    ) -> None:
        self._count = count
        self._open_all = open_all
        self._make_extensions = make_extensions
        self._uses_grpc = uses_grpc
        self._closed = False
        # The event loop that the transports belong to, if they are async.
        self.owner: object = None
        self._opened: list[T] = []
        self._restart()
        _POOLS.add(self)

    def transports(self) -> list[T]:
        """Returns the transports to all servers."""
        if opened := self._opened:
            return opened
        with self._lock:
            self.check_open()
            if not self._opened:
                self._check_grpc()
                self._opened = self._open_all()
            return self._opened

    def check_open(self) -> None:
        """Raises RuntimeError if the pool is closed."""
        if self._closed:
            raise RuntimeError("the client is closed; create a new one")

    def detach(self, owner: object) -> list[T]:
        """Makes `owner` the owner of the transports. Returns those that belonged to another one."""
        with self._lock:
            detached = self._opened if self.owner is not None else []
            if detached:
                self._opened = []
            self.owner = owner
            return detached

    def close(self) -> list[T]:
        """Opens no more transports. Returns those that are open."""
        with self._lock:
            opened, self._opened, self._closed = self._opened, [], True
            return opened

    def after_fork_in_child(self) -> None:
        Grpc.abandoned.append((self._opened, self.extensions))
        self._restart()

    def _restart(self) -> None:
        self._lock = threading.Lock()
        self._opened = []
        self.owner = None
        self.replicas = Replicas(self._count)
        self.budget = RetryBudget(self.replicas.any_available)
        self.extensions = self._make_extensions()

    def _check_grpc(self) -> None:
        if self._uses_grpc and Grpc.crossed_fork:
            what = "this process was forked after it had used gRPC, which cannot be used after a fork"
            raise GenderClientError(f"{what}; send the first request after the fork, or use http:// or https://")
        Grpc.used = Grpc.used or self._uses_grpc


def _after_fork_in_child() -> None:
    Grpc.crossed_fork = Grpc.used
    for pool in list(_POOLS):
        pool.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
