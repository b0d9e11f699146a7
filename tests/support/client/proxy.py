"""A TCP proxy before a server that injects faults."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Fault = Callable[[bytes, socket.socket], bytes]


@dataclass
class Proxy:
    """A running proxy, whose settings may change at any time.

    Args:
        fault: Gets what the server sends and the client's socket. Returns what is forwarded.
        chunk: Bytes that are read from the client at a time.
        pause_s: Seconds between two such reads.
        port: The port of the proxy.
        connections: Number of connections so far.
    """

    fault: Fault
    chunk: int = 2**16
    pause_s: float = 0.0
    port: int = 0
    connections: int = 0
    _sockets: list[socket.socket] = field(default_factory=list)

    def to_server(self, data: bytes, server: socket.socket) -> bytes:
        time.sleep(self.pause_s)
        return data

    def to_client(self, data: bytes, client: socket.socket) -> bytes:
        return self.fault(data, client)


def forward(data: bytes, client: socket.socket) -> bytes:
    return data


def delay(seconds: float) -> Fault:
    def fault(data: bytes, client: socket.socket) -> bytes:
        time.sleep(seconds)
        return data

    return fault


def swallow(data: bytes, client: socket.socket) -> bytes:
    """Like a firewall that dropped the connection's state: neither data nor an end."""
    return b""


def corrupt(data: bytes, client: socket.socket) -> bytes:
    return b"\x00\xff garbage \r\n\r\n" * 20


def half_close(data: bytes, client: socket.socket) -> bytes:
    """Sends no more data but keeps the connection."""
    client.shutdown(socket.SHUT_WR)
    return b""


def cut(data: bytes, client: socket.socket) -> bytes:
    """Sends half of the data and closes the connection."""
    client.sendall(data[: len(data) // 2])
    raise OSError("cut")


@contextmanager
def proxy(address: str, fault: Fault = forward, chunk: int = 2**16, pause_s: float = 0.0) -> Iterator[Proxy]:
    """Runs a proxy before the server at `address`, `host:port`."""
    host, port = address.rsplit(":", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Small, so that the system does not read ahead.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, chunk)
        running = Proxy(fault, chunk, pause_s, listener.getsockname()[1])
        threading.Thread(target=_accept, args=(listener, (host, int(port)), running), daemon=True).start()
        try:
            yield running
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for each in running._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, server: tuple[str, int], proxy: Proxy) -> None:
    with suppress(OSError):
        while True:
            outside, _ = listener.accept()
            inside = socket.create_connection(server)
            proxy._sockets += [outside, inside]
            threading.Thread(target=_pump, args=(outside, inside, proxy.to_server, proxy.chunk), daemon=True).start()
            threading.Thread(target=_pump, args=(inside, outside, proxy.to_client, 2**16), daemon=True).start()
            proxy.connections += 1


def _pump(source: socket.socket, sink: socket.socket, fault: Fault, chunk: int) -> None:
    with suppress(OSError):
        while data := source.recv(chunk):
            sink.sendall(fault(data, sink))
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
            # Otherwise what the other side still sends is neither read nor refused.
            each.close()
