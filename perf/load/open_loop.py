"""Requests at a rate, answered or not, for little of the CPU that the server shares with whoever sends them.

At ten times what two cores can answer a comfortable HTTP client takes most of what it is to measure. Here requests are
encoded before, and one loop over plain sockets looks around once a millisecond. It knows of HTTP/1.1 what nginx and
Triton answer: a status, and a body as long as its head says.
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

from .http_client_load import ANSWERED, PATIENCE_S, REFUSED, HttpLoadError, Request

TICK_S: Final = 0.001
# What a request of most users fits into at once.
BUFFER: Final = 2**18
LOST: Final = 0
_HEAD: Final = re.compile(
    rb"HTTP/1\.1 (\d{3}) .*?\r\ncontent-length: *(\d+)(?=\r\n).*?\r\n\r\n", re.IGNORECASE | re.DOTALL
)


class Phase(NamedTuple):
    """So many requests a second for so long."""

    rate: float
    seconds: float


class Outcome(NamedTuple):
    """One request: when it was due, seconds since the start, how much later it was sent, and what came of it.

    `status` is 200, 503 or `LOST`: no answer within `PATIENCE_S`, or the server hung up. `took_ms` counts from when it
    was sent.
    """

    due_s: float
    late_ms: float
    status: int
    took_ms: float


def storm(port: int, requests: Sequence[Request], phases: Sequence[Phase], seed: int) -> list[Outcome]:
    """Send requests as independent users do (Poisson), one phase after the other without a pause.

    Raises:
        HttpLoadError: a request was answered with neither 200 nor 503, or with what is no HTTP.
        OSError: nothing listens there, or more are waiting than this process may have sockets.
    """
    load = cycle([_encoded(request) for request in requests])
    with closing(_Sockets(port)) as sockets:
        looked = 0.0
        for due in _arrivals(phases, Random(seed)):
            while (now := sockets.now()) < due or now > looked + TICK_S:
                time.sleep(max(0.0, min(due - now, TICK_S) if sockets.busy else due - now))
                sockets.look()
                looked = sockets.now()
            sockets.send(next(load), due)
        while sockets.busy:
            time.sleep(TICK_S)
            sockets.look()
        return sockets.outcomes


def _arrivals(phases: Sequence[Phase], dice: Random) -> Iterator[float]:
    begin = 0.0
    for phase in phases:
        due = begin + dice.expovariate(phase.rate)
        while due < begin + phase.seconds:
            yield due
            due += dice.expovariate(phase.rate)
        begin += phase.seconds


def _encoded(request: Request) -> bytes:
    headers = {"Host": "triton", **request.headers, "Content-Length": str(len(request.body))}
    lines = [f"POST {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + request.body


@dataclass(slots=True)
class _Exchange:
    due: float
    sent: float
    unsent: memoryview
    received: bytes = b""


class _Sockets:
    """Connections to one port: those that wait for an answer, oldest first, and those that do not."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self._idle: list[int] = []
        self.busy: dict[int, _Exchange] = {}
        self.outcomes: list[Outcome] = []
        self._start = perf_counter()

    def now(self) -> float:
        """Seconds since the start."""
        return perf_counter() - self._start

    def send(self, request: bytes, due: float) -> None:
        number = self._idle.pop() if self._idle else self._connect()
        self.busy[number] = _Exchange(due, self.now(), memoryview(request))
        self._write(number)

    def look(self) -> None:
        """Take what has come, send what did not fit before, and give up on whom nobody answers."""
        for number, event in self._epoll.poll(0):
            if event & select.EPOLLOUT:
                self._write(number, again=True)
            if event & ~select.EPOLLOUT:
                self._read(number)
        patient = self.now() - PATIENCE_S
        while self.busy and (oldest := next(iter(self.busy)), self.busy[oldest].sent < patient)[1]:
            self._end(oldest, LOST, keep=False)

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._epoll.close()

    def _connect(self) -> int:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        connection.setblocking(False)
        number = connection.fileno()
        self._open[number] = connection
        self._epoll.register(number, select.EPOLLIN)
        return number

    def _write(self, number: int, again: bool = False) -> None:
        exchange = self.busy.get(number)
        if exchange is None:
            return
        try:
            exchange.unsent = exchange.unsent[self._open[number].send(exchange.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._end(number, LOST, keep=False)
            return
        if exchange.unsent or again:
            self._epoll.modify(number, select.EPOLLIN | (select.EPOLLOUT if exchange.unsent else 0))

    def _read(self, number: int) -> None:
        if number not in self._open:
            return
        try:
            received = self._open[number].recv(BUFFER)
        except OSError:
            received = b""
        exchange = self.busy.get(number)
        if exchange is None:
            self._drop(number)
        elif not received:
            self._end(number, LOST, keep=False)
        else:
            exchange.received += received
            self._understand(number, exchange)

    def _understand(self, number: int, exchange: _Exchange) -> None:
        head = _HEAD.match(exchange.received)
        if head is None:
            if b"\r\n\r\n" in exchange.received:
                raise HttpLoadError(f"not an answer of a status and a length: {exchange.received[:300]!r}")
            return
        if len(exchange.received) < head.end() + int(head[2]):
            return
        if (status := int(head[1])) not in (ANSWERED, REFUSED):
            raise HttpLoadError(f"{status} {exchange.received[head.end() :][:300]!r}")
        # Who is refused before all of the request was sent has to hang up.
        self._end(number, status, keep=not exchange.unsent)

    def _end(self, number: int, status: int, keep: bool) -> None:
        exchange = self.busy.pop(number)
        late, took = exchange.sent - exchange.due, self.now() - exchange.sent
        self.outcomes.append(Outcome(exchange.due, 1000 * late, status, 1000 * took))
        if keep:
            self._idle.append(number)
        else:
            self._drop(number)

    def _drop(self, number: int) -> None:
        if number in self._idle:
            self._idle.remove(number)
        self._epoll.unregister(number)
        self._open.pop(number).close()
