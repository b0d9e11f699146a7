"""An HTTP connection that keeps a deadline from end to end."""

import http.client
import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock."""

    at_s: float

    @classmethod
    def after(cls, timeout_s: float) -> Self:
        return cls(time.monotonic() + timeout_s)

    def remaining_s(self) -> float:
        """Seconds left. Raises TimeoutError when there are none."""
        left_s = self.at_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("deadline passed")
        return left_s


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, read to its end."""

    code: int
    headers: Mapping[str, str]
    body: bytes


class Connection(http.client.HTTPConnection):
    """One kept-alive connection, for one thread at a time. Only looking up the host's name is not timed."""

    def post(self, path: str, body: bytes, headers: dict[str, str], deadline: Deadline) -> Reply:
        """Raises OSError (TimeoutError at the deadline) or http.client.HTTPException."""
        self._socket(deadline).deadline = deadline
        self.request("POST", path, body, headers)
        response = self.getresponse()
        return Reply(response.status, response.headers, response.read())  # type: ignore[arg-type]

    def is_reusable(self) -> bool:
        """Whether the idle connection is open and silent; one the server has closed reads as ready."""
        if self.sock is None:
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    def _socket(self, deadline: Deadline) -> "_DeadlineSocket":
        if not isinstance(self.sock, _DeadlineSocket):
            plain = socket.create_connection((self.host, self.port), timeout=deadline.remaining_s())
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = _DeadlineSocket(fileno=plain.detach())
        return self.sock


class _DeadlineSocket(socket.socket):
    """Gives every wait only what is left: a socket's own timeout starts anew with each byte of a slow server."""

    deadline: Deadline

    def sendall(self, *args: Any) -> None:
        self.settimeout(self.deadline.remaining_s())
        super().sendall(*args)

    def recv_into(self, *args: Any) -> int:
        self.settimeout(self.deadline.remaining_s())
        return super().recv_into(*args)
