"""An HTTP connection that keeps a deadline from end to end."""

import http.client
import math
import select
import socket
import ssl
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


class AnswerTooLong(http.client.HTTPException):
    """More bytes than the client wants to read."""


class Connection(http.client.HTTPConnection):
    """One kept-alive connection, for one thread at a time. Only looking up the host's name is not timed.

    `address` is where to connect to if the host's name is not to be looked up (again).
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext | None = None,
        *,
        max_bytes: int,
        keepalive_s: float | None = None,
        address: str | None = None,
    ) -> None:
        super().__init__(host, port)
        self._address = address or host
        self._max_bytes = max_bytes
        self._keepalive_s = keepalive_s
        self._context = context
        if context:
            context.sslsocket_class = _DeadlineTlsSocket

    def ask(
        self, method: str, path: str, deadline: Deadline, *, body: bytes | None = None, headers: Mapping[str, str]
    ) -> Reply:
        """Raises OSError (TimeoutError at the deadline) or http.client.HTTPException."""
        self._socket(deadline).deadline = deadline
        self.request(method, path, body, headers)
        response = self.getresponse()
        return Reply(response.status, response.headers, self._read(response))  # type: ignore[arg-type]

    def is_reusable(self) -> bool:
        """Whether the idle connection is open and silent; one the server has closed reads as ready."""
        if self.sock is None:
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        bounded = response.length is not None and response.length <= self._max_bytes
        # Only reading without a number tells a body that ends too early.
        body = response.read() if bounded else response.read(self._max_bytes + 1)
        if len(body) > self._max_bytes:
            raise AnswerTooLong(f"the answer has over {self._max_bytes} bytes")
        return body

    def _socket(self, deadline: Deadline) -> "_DeadlineSocket | _DeadlineTlsSocket":
        if not isinstance(self.sock, _DeadlineSocket | _DeadlineTlsSocket):
            plain = socket.create_connection((self._address, self.port), timeout=deadline.remaining_s())
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._keepalive_s:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, math.ceil(self._keepalive_s))
            self.sock = self._encrypted(plain, deadline) if self._context else _DeadlineSocket(fileno=plain.detach())
        return self.sock

    def _encrypted(self, plain: socket.socket, deadline: Deadline) -> "_DeadlineTlsSocket":
        assert self._context
        try:
            plain.settimeout(deadline.remaining_s())
            encrypted = self._context.wrap_socket(plain, server_hostname=self.host)
            assert isinstance(encrypted, _DeadlineTlsSocket)
            return encrypted
        except BaseException:
            plain.close()
            raise


class _Deadlined:
    """Gives every wait only what is left: a socket's own timeout starts anew with each byte of a slow server."""

    deadline: Deadline

    def sendall(self, *args: Any) -> None:
        self.settimeout(self.deadline.remaining_s())  # type: ignore[attr-defined]
        super().sendall(*args)  # type: ignore[misc]

    def recv_into(self, *args: Any) -> int:
        self.settimeout(self.deadline.remaining_s())  # type: ignore[attr-defined]
        received: int = super().recv_into(*args)  # type: ignore[misc]
        return received


class _DeadlineSocket(_Deadlined, socket.socket):
    """In the clear."""


class _DeadlineTlsSocket(_Deadlined, ssl.SSLSocket):
    """By TLS."""
