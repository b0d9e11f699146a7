"""Lookups of host names that a caller can stop waiting for. The system's own `getaddrinfo` has no timeout."""

import os
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final, TypeAlias

Addresses: TypeAlias = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]]
_Key: TypeAlias = tuple[int, str, int]

_IN_PROGRESS: Final[dict[_Key, Future[Addresses]]] = {}


def look_up(host: str, port: int) -> Future[Addresses]:
    """Starts a lookup; its result has the form of `getaddrinfo`'s. A failure is an OSError.

    The thread ends with the system's lookup, which may be after all callers have left. To keep the number of threads
    low while a resolver hangs, callers of the same host share one. Therefore they must not cancel the lookup.
    """
    # The process belongs to the key, because threads do not survive a fork.
    key = os.getpid(), host, port
    lookup = Future[Addresses]()
    if (shared := _IN_PROGRESS.setdefault(key, lookup)) is lookup:
        # A daemon does not delay the end of the process, as a thread of an executor would.
        thread = threading.Thread(target=_run, args=(key, lookup), name="genderclient-lookup", daemon=True)
        try:
            thread.start()
        except RuntimeError as exc:  # too many threads
            del _IN_PROGRESS[key]
            lookup.set_exception(OSError(str(exc)))
    return shared


def look_up_within(timeout_s: float, host: str, port: int) -> Addresses:
    """Waits for a lookup. Raises TimeoutError if it takes longer."""
    try:
        return look_up(host, port).result(timeout_s)
    except FutureTimeoutError as exc:
        # Python 3.10 has two of them.
        raise TimeoutError("deadline passed") from exc


def _run(key: _Key, lookup: Future[Addresses]) -> None:
    _, host, port = key
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except BaseException as exc:
        del _IN_PROGRESS[key]
        # Python encodes the name by IDNA first.
        not_a_name = socket.gaierror(socket.EAI_NONAME, "not a host name")
        lookup.set_exception(not_a_name if isinstance(exc, UnicodeError) else exc)
    else:
        del _IN_PROGRESS[key]
        lookup.set_result(addresses)
