"""Servers that are slow, or not Triton, over real sockets."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Talk = Callable[[socket.socket], object]


@contextmanager
def socket_server(talk: Talk, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Yields the port of a server that calls `talk` with each connection, in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Small, so that unread requests block the client.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**13)
        threading.Thread(target=_accept, args=(listener, talk, tls), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, talk: Talk, tls: ssl.SSLContext | None) -> None:
    try:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, talk, tls), daemon=True).start()
    except OSError:
        """The listener was shut down."""


def _serve(connection: socket.socket, talk: Talk, tls: ssl.SSLContext | None) -> None:
    try:
        with tls.wrap_socket(connection, server_side=True) if tls else connection as stream:
            talk(stream)
            stream.shutdown(socket.SHUT_WR)
            while stream.recv(2**16):
                """Unread bytes would turn the end into a reset."""
    except OSError:
        """The client closed the connection."""


def replies(reply: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.sendall(reply)

    return talk


def drip_headers(connection: socket.socket) -> None:
    """Sends one byte every 50 ms."""
    connection.recv(2**16)
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"." * 400:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def drip_body(connection: socket.socket) -> None:
    connection.recv(2**16)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n")
    for _ in range(400):
        connection.sendall(b".")
        time.sleep(0.05)


def read_slowly(connection: socket.socket) -> None:
    """Reads 8 KiB every 50 ms, so that no single write of the client takes long."""
    for _ in range(400):
        connection.recv(2**13)
        time.sleep(0.05)


def respond_never(connection: socket.socket) -> None:
    time.sleep(20)


def http_reply(code: int, body: bytes, header: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%b\r\n%b" % (code, len(body), header, body)


def gzipped(body: bytes) -> bytes:
    return http_reply(200, gzip.compress(body, mtime=0), b"Content-Encoding: gzip\r\n")
