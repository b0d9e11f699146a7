"""Servers that are not there, are slow, or are no Triton: over real sockets."""

import asyncio
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from genderclient import (
    AccessDenied,
    AsyncClient,
    Client,
    DeadlineExceeded,
    GenderClientError,
    InvalidAvatar,
    Overloaded,
    ProtocolError,
    ServerError,
    Unavailable,
)


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that talks to every connection in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, talk), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, talk: Callable[[socket.socket], None]) -> None:
    try:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, talk), daemon=True).start()
    except OSError:
        """The listener was shut down."""


def _serve(connection: socket.socket, talk: Callable[[socket.socket], None]) -> None:
    with connection:
        try:
            connection.recv(2**16)
            talk(connection)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(2**16):
                """Unread bytes would turn the end into a reset."""
        except OSError:
            """The client hung up."""


def says(reply: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(reply)


def drip(connection: socket.socket) -> None:
    """One byte every 50 ms, for ever."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"." * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def http(code: int, body: bytes, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%b\r\n%b" % (code, len(body), more, body)


def gzipped(body: bytes) -> bytes:
    return http(200, gzip.compress(body, mtime=0), b"Content-Encoding: gzip\r\n")


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_nobody_listens(scheme: str, free_port: int) -> None:
    with (
        Client(f"{scheme}://127.0.0.1:{free_port}") as client,
        pytest.raises(Unavailable, match=rf"127\.0\.0\.1:{free_port}.*refused.*`make serve`"),
    ):
        client.predict(nickname="小美")


@pytest.mark.parametrize(("scheme", "talk"), [("http", drip), ("http", lambda _: time.sleep(2)), ("grpc", drip)])
def test_the_deadline_is_end_to_end(scheme: str, talk: Callable[[socket.socket], None]) -> None:
    with server(talk) as port, Client(f"{scheme}://127.0.0.1:{port}", timeout_s=0.4) as client:
        started_s = time.monotonic()
        with pytest.raises((DeadlineExceeded, Unavailable)) as caught:
            client.predict(nickname="小美")
        assert time.monotonic() - started_s < 1
        assert scheme == "grpc" or caught.type is DeadlineExceeded


@pytest.mark.parametrize(
    ("reply", "error", "says_why"),
    [
        (b"", Unavailable, "closed connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", Unavailable, "IncompleteRead"),
        (b"SSH-2.0-OpenSSH\r\n", ProtocolError, "no HTTP answer"),
        (http(200, b"<html>"), ProtocolError, "does not follow the v2 protocol"),
        (http(200, b"[]"), ProtocolError, "does not follow the v2 protocol"),
        (http(404, b"<html>"), ProtocolError, "HTTP 404 without an explanation"),
        (http(503, b"<html>"), Unavailable, "HTTP 503 without an explanation"),
        (http(500, b'{"error":"stub died"}'), ServerError, "stub died"),
        (http(401, b"<html>"), AccessDenied, "HTTP 401 without an explanation; check the token"),
        (http(403, b'{"error":"not this model"}'), AccessDenied, "not this model; check the token"),
        (http(413, b"<html>"), InvalidAvatar, "send a smaller picture"),
        (http(429, b"<html>"), Overloaded, "ask later, or fewer at once"),
        (http(200, b" " * 2**25), ProtocolError, "the answer has over 16777216 bytes"),
        (gzipped(b" " * 2**25), ProtocolError, "the answer has over 16777216 bytes"),
        (gzipped(b"{}")[:-4] + b"....", ProtocolError, "not compressed as it says"),
        (
            http(
                200,
                b'{"model_name":"m","outputs":[{"name":"WEIGHTS","datatype":"FP32","shape":[9],"data":[1.0]}]}',
            ),
            ProtocolError,
            "output WEIGHTS holds no FP32 numbers of its own shape",
        ),
    ],
)
def test_what_is_no_answer(reply: bytes, error: type[GenderClientError], says_why: str) -> None:
    with (
        server(says(reply)) as port,
        Client(f"http://127.0.0.1:{port}") as client,
        pytest.raises(error, match=says_why),
    ):
        client.predict(nickname="小美")


@pytest.mark.parametrize("reply", [http(200, b" " * 2**25), gzipped(b" " * 2**25)])
def test_tasks_read_no_endless_answer_either(reply: bytes) -> None:
    async def ask(port: int) -> None:
        async with AsyncClient(f"http://127.0.0.1:{port}") as client:
            await client.predict(nickname="小美")

    with server(says(reply)) as port, pytest.raises(ProtocolError, match="the answer has over 16777216 bytes"):
        asyncio.run(ask(port))


def test_a_connection_the_server_closed_is_not_used_again() -> None:
    """`server` hangs up after each answer without saying so."""
    with server(says(http(500, b'{"error":"stub died"}'))) as port, Client(f"http://127.0.0.1:{port}") as client:
        for _ in range(3):
            with pytest.raises(ServerError, match="stub died"):
                client.predict(nickname="小美")
            time.sleep(0.05)
