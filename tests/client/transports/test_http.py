"""The HTTP transports against servers that are missing, slow, or not Triton, over real sockets."""

import asyncio
import http.client
import select
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from genderclient import (
    AccessDenied,
    AsyncClient,
    Client,
    ConnectionOptions,
    DeadlineExceeded,
    GenderClientError,
    InvalidAvatar,
    Overloaded,
    ProtocolError,
    Retry,
    ServerError,
    Tls,
    Unavailable,
)
from genderclient._transports.connection import Connection, Deadline
from tests.support.client.socket_server import (
    Talk,
    drip_body,
    drip_headers,
    gzipped,
    http_reply,
    read_slowly,
    replies,
    respond_never,
    socket_server,
)
from tests.support.client.tls import write_pem_files


def predict(port: int, avatar: bytes | None = None, scheme: str = "http", tls: Tls | None = None) -> None:
    url = f"{scheme}://127.0.0.1:{port}"
    with Client(url, timeout_s=0.4, retry=Retry(attempts=1), tls=tls) as client:
        client.predict(nickname="小美", avatar=avatar)


def predict_async(port: int, avatar: bytes | None = None) -> None:
    async def run() -> None:
        async with AsyncClient(f"http://127.0.0.1:{port}", timeout_s=0.4, retry=Retry(attempts=1)) as client:
            await client.predict(nickname="小美", avatar=avatar)

    asyncio.run(run())


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_refused_connection_is_unavailable(scheme: str, free_port: int) -> None:
    with (
        Client(f"{scheme}://127.0.0.1:{free_port}") as client,
        pytest.raises(Unavailable, match=rf"127\.0\.0\.1:{free_port}.*refused.*`make serve`"),
    ):
        client.predict(nickname="小美")


@pytest.mark.parametrize("send", [predict, predict_async])
@pytest.mark.parametrize(
    ("talk", "avatar"),
    [(drip_headers, None), (drip_body, None), (respond_never, None), (read_slowly, bytes(2**22))],
)
def test_deadline_covers_everything(send: Callable[..., None], talk: Talk, avatar: bytes | None) -> None:
    with socket_server(talk) as port:
        started_s = time.monotonic()
        with pytest.raises(DeadlineExceeded, match=r"no response within 0\.4 s"):
            send(port, avatar)
        assert time.monotonic() - started_s < 1.5


def test_deadline_covers_tls_writes(tmp_path: Path) -> None:
    files = write_pem_files(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.server, files.server_key)
    with socket_server(read_slowly, context) as port:
        started_s = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            predict(port, bytes(2**22), "https", Tls(ca_file=files.ca))
        assert time.monotonic() - started_s < 1.5


def test_deadline_covers_grpc_handshake() -> None:
    with (
        socket_server(drip_headers) as port,
        Client(f"grpc://127.0.0.1:{port}", timeout_s=0.4) as client,
        pytest.raises((DeadlineExceeded, Unavailable)),
    ):
        started_s = time.monotonic()
        client.predict(nickname="小美")
    assert time.monotonic() - started_s < 1.5


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (b"", Unavailable, "closed connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", Unavailable, "IncompleteRead"),
        (b"SSH-2.0-OpenSSH\r\n", ProtocolError, "no HTTP response"),
        (http_reply(200, b"<html>"), ProtocolError, "does not follow the v2 protocol"),
        (http_reply(200, b"[]"), ProtocolError, "does not follow the v2 protocol"),
        (http_reply(404, b"<html>"), ProtocolError, "HTTP 404 without an explanation"),
        (http_reply(503, b"<html>"), Unavailable, "HTTP 503 without an explanation"),
        (http_reply(500, b'{"error":"stub died"}'), ServerError, "stub died"),
        (http_reply(401, b"<html>"), AccessDenied, "HTTP 401 without an explanation; check the token"),
        (http_reply(403, b'{"error":"not this model"}'), AccessDenied, "not this model; check the token"),
        (http_reply(413, b"<html>"), InvalidAvatar, "send a smaller picture"),
        (http_reply(429, b"<html>"), Overloaded, "send fewer requests at once"),
        (http_reply(200, b" " * 2**25), ProtocolError, "the response has over 16777216 bytes"),
        (gzipped(b" " * 2**25), ProtocolError, "the response has over 16777216 bytes"),
        (gzipped(b"{}")[:-4] + b"....", ProtocolError, "does not match its Content-Encoding"),
        (
            http_reply(
                200,
                b'{"model_name":"m","outputs":[{"name":"WEIGHTS","datatype":"FP32","shape":[9],"data":[1.0]}]}',
            ),
            ProtocolError,
            "output WEIGHTS does not match its shape and datatype",
        ),
    ],
)
def test_invalid_response_has_an_error(reply: bytes, error: type[GenderClientError], message: str) -> None:
    with (
        socket_server(replies(reply)) as port,
        Client(f"http://127.0.0.1:{port}") as client,
        pytest.raises(error, match=message),
    ):
        client.predict(nickname="小美")


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (b"", Unavailable, "disconnected"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", Unavailable, "payload"),
        (b"SSH-2.0-OpenSSH\r\n", ProtocolError, "no HTTP response"),
        (http_reply(200, b" " * 2**25), ProtocolError, "the response has over 16777216 bytes"),
        (gzipped(b" " * 2**25), ProtocolError, "the response has over 16777216 bytes"),
    ],
)
def test_invalid_response_has_the_same_error_async(reply: bytes, error: type[GenderClientError], message: str) -> None:
    async def run(port: int) -> None:
        async with AsyncClient(f"http://127.0.0.1:{port}") as client:
            await client.predict(nickname="小美")

    with socket_server(replies(reply)) as port, pytest.raises(error, match=message):
        asyncio.run(run(port))


def test_connection_closed_by_server_is_not_reused() -> None:
    """The server closes the connection after each response without announcing it."""
    reply = http_reply(500, b'{"error":"stub died"}')
    with socket_server(replies(reply)) as port, Client(f"http://127.0.0.1:{port}") as client:
        for _ in range(3):
            with pytest.raises(ServerError, match="stub died"):
                client.predict(nickname="小美")
            time.sleep(0.05)


def test_without_poll_and_keepalive_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `select.poll`; macOS has no `socket.TCP_KEEPIDLE`."""
    monkeypatch.delattr(select, "poll")
    for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_USER_TIMEOUT"):
        monkeypatch.delattr(socket, name, raising=False)
    reply = http_reply(500, b'{"error":"stub died"}')
    options = ConnectionOptions(keepalive_s=1)
    with socket_server(replies(reply)) as port, Client(f"http://127.0.0.1:{port}", options=options) as client:
        for _ in range(2):
            with pytest.raises(ServerError, match="stub died"):
                client.predict(nickname="小美")
            time.sleep(0.05)


def test_next_address_of_host_is_used(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    with socket_server(replies(http_reply(200, b"ok"))) as port:
        addresses = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", each)) for each in (free_port, port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: addresses)
        connection = Connection("triton.example", port, max_bytes=100)
        assert connection.exchange("GET", "/", Deadline.after(5), headers={}).body == b"ok"
        connection.close()


def test_response_over_limit_is_too_large() -> None:
    with socket_server(replies(http_reply(200, bytes(101)))) as port:
        connection = Connection("127.0.0.1", port, max_bytes=100)
        with pytest.raises(http.client.HTTPException, match="over 100 bytes"):
            connection.exchange("GET", "/", Deadline.after(5), headers={})
        connection.close()
