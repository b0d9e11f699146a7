"""A real TCP proxy before a server, which harms what passes through it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Harm = Callable[[bytes, socket.socket], bytes]


@dataclass
class Proxy:
    """`harm`, which may change, gets what the server sends and the client's socket; it returns what is passed on.

    What the client sends is read `chunk` bytes at a time, with `pause_s` in between.
    """

    harm: Harm
    chunk: int = 2**16
    pause_s: float = 0.0
    port: int = 0
    connections: int = 0
    _sockets: list[socket.socket] = field(default_factory=list)

    def take(self, data: bytes, server: socket.socket) -> bytes:
        time.sleep(self.pause_s)
        return data

    def pass_on(self, data: bytes, client: socket.socket) -> bytes:
        return self.harm(data, client)


def nothing(data: bytes, client: socket.socket) -> bytes:
    return data


def delay(seconds: float) -> Harm:
    def harm(data: bytes, client: socket.socket) -> bytes:
        time.sleep(seconds)
        return data

    return harm


def swallow(data: bytes, client: socket.socket) -> bytes:
    """As a firewall that forgot the connection: neither answer nor end."""
    return b""


def garbage(data: bytes, client: socket.socket) -> bytes:
    return b"\x00\xff garbage \r\n\r\n" * 20


def half_close(data: bytes, client: socket.socket) -> bytes:
    """No more answers, though the connection stands."""
    client.shutdown(socket.SHUT_WR)
    return b""


def cut(data: bytes, client: socket.socket) -> bytes:
    """Half of it, and then the connection is gone."""
    client.sendall(data[: len(data) // 2])
    raise OSError("cut")


@contextmanager
def proxy(address: str, harm: Harm = nothing, chunk: int = 2**16, pause_s: float = 0.0) -> Iterator[Proxy]:
    """Stands before the server at `address`, `host:port`."""
    host, port = address.rsplit(":", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Else the system would read ahead.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, chunk)
        found = Proxy(harm, chunk, pause_s, listener.getsockname()[1])
        threading.Thread(target=_accept, args=(listener, (host, int(port)), found), daemon=True).start()
        try:
            yield found
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for each in found._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, server: tuple[str, int], proxy: Proxy) -> None:
    with suppress(OSError):
        while True:
            outside, _ = listener.accept()
            inside = socket.create_connection(server)
            proxy._sockets += [outside, inside]
            threading.Thread(target=_pump, args=(outside, inside, proxy.take, proxy.chunk), daemon=True).start()
            threading.Thread(target=_pump, args=(inside, outside, proxy.pass_on, 2**16), daemon=True).start()
            proxy.connections += 1


def _pump(source: socket.socket, sink: socket.socket, harm: Harm, chunk: int) -> None:
    with suppress(OSError):
        while data := source.recv(chunk):
            sink.sendall(harm(data, sink))
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
            # Else what the other side still sends is neither read nor refused.
            each.close()
