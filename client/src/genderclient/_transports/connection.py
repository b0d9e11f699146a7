"""An HTTP connection with one deadline for everything it does."""

import http.client
import math
import select
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genderclient._compat import Self
from genderclient._transports.lookup import look_up_within


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time of the monotonic clock."""

    at_s: float

    @classmethod
    def after(cls, timeout_s: float) -> Self:
        return cls(time.monotonic() + timeout_s)

    def remaining_s(self) -> float:
        """Returns the seconds left. Raises TimeoutError if there are none."""
        left_s = self.at_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("deadline passed")
        return left_s


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP response, read to its end."""

    code: int
    headers: Mapping[str, str]
    body: bytes


class ResponseTooLarge(http.client.HTTPException):
    """The response exceeds the limit."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the response has over {max_bytes} bytes")


class Connection(http.client.HTTPConnection):
    """One kept-alive connection, for one thread at a time.

    http.client and httpx apply a timeout to each read, so a server that sends single bytes can hold a request without
    limit. Here the deadline covers everything. `address` replaces the lookup of the host name.
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

    def exchange(
        self, method: str, path: str, deadline: Deadline, *, body: bytes | None = None, headers: Mapping[str, str]
    ) -> HttpResponse:
        """Sends a request and reads the response. Raises TimeoutError, OSError or HTTPException."""
        self._open_socket(deadline).deadline = deadline
        self.request(method, path, body, headers)
        response = self.getresponse()
        return HttpResponse(response.status, response.headers, self._read(response))  # type: ignore[arg-type]

    def is_reusable(self) -> bool:
        """Whether the idle connection is open and silent. A connection that the server closed is readable."""
        return self.sock is not None and not _is_readable(self.sock)

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        bounded = response.length is not None and response.length <= self._max_bytes
        # read(n) does not report a body that ends early; read() does.
        body = response.read() if bounded else response.read(self._max_bytes + 1)
        if len(body) > self._max_bytes:
            raise ResponseTooLarge(self._max_bytes)
        return body

    def _open_socket(self, deadline: Deadline) -> "_DeadlineSocket | _DeadlineTlsSocket":
        if not isinstance(self.sock, _DeadlineSocket | _DeadlineTlsSocket):
            plain = _connect(self._address, self.port, deadline)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._keepalive_s:
                enable_keepalive(plain, self._keepalive_s)
            self.sock = self._encrypt(plain, deadline) if self._context else plain
        return self.sock

    def _encrypt(self, plain: socket.socket, deadline: Deadline) -> "_DeadlineTlsSocket":
        assert self._context
        try:
            plain.settimeout(deadline.remaining_s())
            encrypted = self._context.wrap_socket(plain, server_hostname=self.host)
            assert isinstance(encrypted, _DeadlineTlsSocket)
            return encrypted
        except BaseException:
            plain.close()
            raise


class _DeadlineMixin:
    """Limits each operation of a socket to the time that is left."""

    deadline: Deadline

    def sendall(self, *args: Any) -> None:
        self.settimeout(self.deadline.remaining_s())  # type: ignore[attr-defined]
        super().sendall(*args)  # type: ignore[misc]

    def recv_into(self, *args: Any) -> int:
        self.settimeout(self.deadline.remaining_s())  # type: ignore[attr-defined]
        received: int = super().recv_into(*args)  # type: ignore[misc]
        return received


class _DeadlineSocket(_DeadlineMixin, socket.socket):
    """A plain socket."""


class _DeadlineTlsSocket(_DeadlineMixin, ssl.SSLSocket):
    """A TLS socket."""


def _connect(host: str, port: int, deadline: Deadline) -> _DeadlineSocket:
    """Connects to the first address of `host` that accepts, within the deadline for all of them.

    A silent address has an equal share of what is left of the deadline.
    """
    failure = OSError(f"{host} has no address")
    addresses = look_up_within(deadline.remaining_s(), host, port)
    for left, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        plain = _DeadlineSocket(family, kind, protocol)
        try:
            plain.settimeout(deadline.remaining_s() / left)
            plain.connect(address)
            return plain
        except OSError as exc:
            plain.close()
            failure = exc
    raise failure


def enable_keepalive(plain: socket.socket, idle_s: float) -> None:
    """Makes the system probe the connection after `idle_s` seconds of silence."""
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # macOS names the option TCP_KEEPALIVE. Without either name, the system's own idle time applies.
    option = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))
    if option is not None:
        plain.setsockopt(socket.IPPROTO_TCP, option, math.ceil(idle_s))


def _is_readable(connection: socket.socket) -> bool:
    # select() fails on descriptors over 1023, except on Windows, which lacks poll().
    if not hasattr(select, "poll"):
        return bool(select.select([connection], [], [], 0)[0])
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
