"""Open-loop load: requests arrive at a rate, whether earlier ones are answered or not.

At ten times the capacity of two cores, a full HTTP client would use most of the CPU under test. Here requests are
encoded in advance, and one loop over plain sockets polls once a millisecond. It reads only the HTTP/1.1 that nginx and
Triton write: a status, and a body with a content length.
"""

import re
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from random import Random
from time import perf_counter
from typing import Final, NamedTuple

from .http_client_load import ANSWERED, REFUSED, HttpLoadError, Request, percentiles_ms

POLL_S: Final = 0.001
# How long a user waits for a picture.
GIVE_UP_S: Final = 5.0
# Large enough for most requests, which are then sent with one call.
BUFFER_BYTES: Final = 2**18
LOST: Final = 0
_HEAD: Final = re.compile(
    rb"HTTP/1\.1 (\d{3}) .*?\r\ncontent-length: *(\d+)(?=\r\n).*?\r\n\r\n", re.IGNORECASE | re.DOTALL
)


class RateStep(NamedTuple):
    """A constant mean rate of arrivals for a while."""

    per_s: float
    seconds: float


class RequestResult(NamedTuple):
    """What happened to one request.

    Attributes:
        due_s: When it was due, seconds since the start.
        late_ms: How much later it was sent.
        status: 200, 503, or `LOST` if there was no answer within `GIVE_UP_S` or the server closed the connection.
        took_ms: Time from sending to the end of the answer.
    """

    due_s: float
    late_ms: float
    status: int
    took_ms: float


def open_loop(url: str, requests: Sequence[Request], steps: Sequence[RateStep], seed: int) -> list[RequestResult]:
    """Send requests to `url` (host:port) with Poisson arrivals, one rate after the other without a pause.

    Raises:
        HttpLoadError: A response is not HTTP or its status is neither 200 nor 503.
        OSError: The server is unreachable, or this process has no sockets left.
    """
    encoded = cycle([_encode(request) for request in requests])
    with closing(_Connections(url)) as connections:
        polled = 0.0
        for due in _arrivals(steps, Random(seed)):
            while (now := connections.now()) < due or now > polled + POLL_S:
                time.sleep(max(0.0, min(due - now, POLL_S) if connections.exchanges else due - now))
                connections.poll()
                polled = connections.now()
            connections.send(next(encoded), due)
        while connections.exchanges:
            time.sleep(POLL_S)
            connections.poll()
        return connections.results


def summarize(results: Sequence[RequestResult], seconds: float) -> dict[str, float]:
    """Return the rates of requests by status, and percentiles of latency and lateness, for steps of `seconds`."""
    times_ms = {
        status: [each.took_ms for each in results if each.status == status] for status in (ANSWERED, REFUSED, LOST)
    }
    return {
        "sent_per_s": len(results) / seconds,
        "per_s": len(times_ms[ANSWERED]) / seconds,
        "refused_per_s": len(times_ms[REFUSED]) / seconds,
        "given_up_per_s": len(times_ms[LOST]) / seconds,
        **percentiles_ms(times_ms[ANSWERED]),
        "refused_p99_ms": percentiles_ms(times_ms[REFUSED])["p99_ms"],
        "late_p99_ms": percentiles_ms([each.late_ms for each in results])["p99_ms"],
    }


def _arrivals(steps: Sequence[RateStep], rng: Random) -> Iterator[float]:
    begin = 0.0
    for step in steps:
        due = begin + rng.expovariate(step.per_s)
        while due < begin + step.seconds:
            yield due
            due += rng.expovariate(step.per_s)
        begin += step.seconds


def _encode(request: Request) -> bytes:
    headers = {"Host": "localhost", **request.headers, "Content-Length": str(len(request.body))}
    lines = [f"POST {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + request.body


@dataclass(slots=True)
class _Exchange:
    """A request on its way."""

    due: float
    sent: float
    unsent: memoryview
    received: bytes = b""


class _Connections:
    """Connections to one server, by file descriptor.

    Attributes:
        exchanges: The busy connections, oldest request first.
        results: What happened to the finished requests.
    """

    def __init__(self, url: str) -> None:
        host, port = url.split(":")
        self._address = (host, int(port))
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._idle: list[int] = []
        self.exchanges: dict[int, _Exchange] = {}
        self.results: list[RequestResult] = []
        self._start = perf_counter()

    def now(self) -> float:
        """Return the seconds since the start."""
        return perf_counter() - self._start

    def send(self, request: bytes, due: float) -> None:
        """Start a request on an idle connection or a new one."""
        fd = self._idle.pop() if self._idle else self._connect()
        self.exchanges[fd] = _Exchange(due, self.now(), memoryview(request))
        self._write(fd)

    def poll(self) -> None:
        """Read what has arrived, continue partial writes, and give up on requests that are too old."""
        for fd, event in self._epoll.poll(0):
            if event & select.EPOLLOUT:
                self._write(fd, is_partial=True)
            if event & ~select.EPOLLOUT:
                self._read(fd)
        limit = self.now() - GIVE_UP_S
        while self.exchanges and (oldest := next(iter(self.exchanges)), self.exchanges[oldest].sent < limit)[1]:
            self._finish(oldest, LOST)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._sockets.values():
            connection.close()
        self._epoll.close()

    def _connect(self) -> int:
        connection = socket.create_connection(self._address, timeout=GIVE_UP_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        connection.setblocking(False)
        fd = connection.fileno()
        self._sockets[fd] = connection
        self._epoll.register(fd, select.EPOLLIN)
        return fd

    def _write(self, fd: int, is_partial: bool = False) -> None:
        exchange = self.exchanges.get(fd)
        if exchange is None:
            return
        try:
            exchange.unsent = exchange.unsent[self._sockets[fd].send(exchange.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._finish(fd, LOST)
            return
        if exchange.unsent or is_partial:
            self._epoll.modify(fd, select.EPOLLIN | (select.EPOLLOUT if exchange.unsent else 0))

    def _read(self, fd: int) -> None:
        if fd not in self._sockets:
            return
        try:
            received = self._sockets[fd].recv(BUFFER_BYTES)
        except OSError:
            received = b""
        exchange = self.exchanges.get(fd)
        if exchange is None:
            self._drop(fd)
        elif not received:
            self._finish(fd, LOST)
        else:
            exchange.received += received
            self._parse(fd, exchange)

    def _parse(self, fd: int, exchange: _Exchange) -> None:
        head = _HEAD.match(exchange.received)
        if head is None:
            if b"\r\n\r\n" in exchange.received:
                raise HttpLoadError(f"expected a status and a content length, got {exchange.received[:300]!r}")
            return
        if len(exchange.received) < head.end() + int(head[2]):
            return
        if (status := int(head[1])) not in (ANSWERED, REFUSED):
            raise HttpLoadError(f"expected 200 or 503, got {status} {exchange.received[head.end() :][:300]!r}")
        self._finish(fd, status)

    def _finish(self, fd: int, status: int) -> None:
        exchange = self.exchanges.pop(fd)
        late, took = exchange.sent - exchange.due, self.now() - exchange.sent
        self.results.append(RequestResult(exchange.due, 1000 * late, status, 1000 * took))
        # If the server answered before it had the whole request, the connection cannot be used again.
        if status != LOST and not exchange.unsent:
            self._idle.append(fd)
        else:
            self._drop(fd)

    def _drop(self, fd: int) -> None:
        if fd in self._idle:
            self._idle.remove(fd)
        self._epoll.unregister(fd)
        self._sockets.pop(fd).close()
