"""The HTTP transports against servers that are missing, slow, or not Triton, over real sockets."""

import asyncio
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import aiohttp
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
from genderclient._transports import http_aio
from genderclient._transports.connection import Connection, Deadline, enable_keepalive
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
from tests.support.waiting import ends_soon


def predict(
    port: int, *, timeout_s: float, avatar: bytes | None = None, tls: Tls | None = None, host: str = "127.0.0.1"
) -> None:
    url = f"{'https' if tls else 'http'}://{host}:{port}"
    with Client(url, timeout_s=timeout_s, retry=Retry(attempts=1), tls=tls) as client:
        client.predict(nickname="小美", avatar=avatar)


def predict_async(port: int, *, timeout_s: float, avatar: bytes | None = None, host: str = "127.0.0.1") -> None:
    async def run() -> None:
        async with AsyncClient(f"http://{host}:{port}", timeout_s=timeout_s, retry=Retry(attempts=1)) as client:
            await client.predict(nickname="小美", avatar=avatar)

    asyncio.run(run())


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


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
    no_response = pytest.raises(DeadlineExceeded, match=r"no response within 0\.4 s")
    with socket_server(talk) as port, ends_soon(), no_response:
        send(port, timeout_s=0.4, avatar=avatar)


def test_deadline_covers_tls_writes(tmp_path: Path) -> None:
    files = write_pem_files(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.server, files.server_key)
    with socket_server(read_slowly, context) as port, ends_soon(), pytest.raises(DeadlineExceeded):
        predict(port, timeout_s=0.4, avatar=bytes(2**22), tls=Tls(ca_file=files.ca))


def test_deadline_covers_grpc_handshake() -> None:
    with (
        socket_server(drip_headers) as port,
        Client(f"grpc://127.0.0.1:{port}", timeout_s=0.4) as client,
        ends_soon(),
        pytest.raises((DeadlineExceeded, Unavailable)),
    ):
        client.predict(nickname="小美")


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (b"", Unavailable, "closed connection|disconnected"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", Unavailable, "IncompleteRead|payload"),
        (b"SSH-2.0-OpenSSH\r\n", ProtocolError, "no HTTP response"),
        (http_reply(200, b"<html>"), ProtocolError, "does not follow the v2 protocol"),
        (http_reply(200, b"[" * 10**5), ProtocolError, "does not follow the v2 protocol"),
        (
            http_reply(
                200,
                b'{"model_name":"m","outputs":[{"name":"W","datatype":"FP32","shape":[1],'
                b'"parameters":{"binary_data_size":4}}]}',
            ),
            ProtocolError,
            "does not follow the v2 protocol|does not match its shape",
        ),
        (http_reply(500, b"[" * 10**5), ServerError, "HTTP 500 without an explanation"),
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
@pytest.mark.parametrize("send", [predict, predict_async])
def test_invalid_response_has_an_error(
    send: Callable[..., None], reply: bytes, error: type[GenderClientError], message: str
) -> None:
    with socket_server(replies(reply)) as port, pytest.raises(error, match=message):
        send(port, timeout_s=10)


@pytest.mark.parametrize("missing", [(), ("poll", "TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_USER_TIMEOUT")])
def test_connection_closed_by_server_is_not_reused(missing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `select.poll`; macOS has no `socket.TCP_KEEPIDLE`."""
    for name in missing:
        monkeypatch.delattr(select if name == "poll" else socket, name, raising=False)
    # The server closes the connection after each response without announcing it.
    reply = http_reply(500, b'{"error":"stub died"}')
    options = ConnectionOptions(keepalive_s=1)
    with socket_server(replies(reply)) as port, Client(f"http://127.0.0.1:{port}", options=options) as client:
        for _ in range(3):
            with pytest.raises(ServerError, match="stub died"):
                client.predict(nickname="小美")
            time.sleep(0.05)


def test_async_connection_is_probed_after_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    probed: list[tuple[int, float]] = []

    def record(plain: socket.socket, idle_s: float) -> None:
        enable_keepalive(plain, idle_s)
        probed.append((plain.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), idle_s))

    async def run(port: int, keepalive_s: float | None) -> None:
        options = ConnectionOptions(keepalive_s=keepalive_s)
        async with AsyncClient(f"http://127.0.0.1:{port}", options=options) as client:
            with pytest.raises(ServerError):
                await client.predict(nickname="小美")

    monkeypatch.setattr(http_aio, "enable_keepalive", record)
    with socket_server(replies(http_reply(500, b'{"error":"stub died"}'))) as port:
        asyncio.run(run(port, None))
        asyncio.run(run(port, 7))
    assert probed == [(1, 7)]


def test_async_timeout_may_exceed_that_of_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    def respond_late(connection: socket.socket) -> None:
        time.sleep(0.2)
        replies(http_reply(500, b'{"error":"stub died"}'))(connection)

    monkeypatch.setattr(aiohttp.client, "DEFAULT_TIMEOUT", aiohttp.ClientTimeout(total=0.1))
    with socket_server(respond_late) as port, pytest.raises(ServerError, match="stub died"):
        predict_async(port, timeout_s=10)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_cookies_are_not_sent_back(kind: type[Client] | type[AsyncClient]) -> None:
    """A balancer's cookie would bind all requests to one server."""
    received: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        received.append(connection.recv(2**16))
        connection.sendall(http_reply(500, b'{"error":"stub died"}', b"Set-Cookie: server=1\r\n"))

    async def run_async(client: AsyncClient) -> None:
        async with client:
            for _ in range(2):
                with pytest.raises(ServerError):
                    await client.predict(nickname="小美")

    # aiohttp's jar keeps no cookies of addresses.
    with socket_server(talk) as port:
        client = kind(f"http://localhost:{port}")
        if isinstance(client, AsyncClient):
            asyncio.run(run_async(client))
        else:
            with client:
                for _ in range(2):
                    with pytest.raises(ServerError):
                        client.predict(nickname="小美")
    assert len(received) == 2
    assert not any(b"cookie:" in request.lower() for request in received)


@pytest.mark.parametrize("send", [predict, predict_async])
def test_deadline_covers_the_lookup_of_the_host(send: Callable[..., None], hung_resolver: threading.Event) -> None:
    """The caller goes on, and an event loop ends, while the system's lookup still runs."""
    with pytest.raises(DeadlineExceeded, match=r"no response within 0\.3 s"):
        # Each has a host of its own: the lookup of the test before may not have ended.
        send(9, timeout_s=0.3, host=f"{send.__name__}.example")
    assert not hung_resolver.is_set()


@pytest.mark.parametrize("send", [predict, predict_async])
def test_name_that_is_no_host_is_unavailable(send: Callable[..., None]) -> None:
    with pytest.raises(Unavailable, match=r"not a host name"):
        send(9, timeout_s=5, host="triton..example")


@pytest.mark.parametrize("send", [predict, predict_async])
def test_redirect_is_not_followed(send: Callable[..., None]) -> None:
    """It would give the avatar, the nickname and the token to another server, maybe unencrypted."""
    received: list[bytes] = []
    with socket_server(lambda connection: received.append(connection.recv(2**16))) as elsewhere:
        location = f"Location: http://127.0.0.1:{elsewhere}/\r\n".encode()
        for code in (301, 302, 303, 307, 308):
            with (
                socket_server(replies(http_reply(code, b"", location))) as port,
                pytest.raises(ProtocolError, match=f"HTTP {code}: a redirect, which the client does not follow"),
            ):
                send(port, timeout_s=10)
    assert received == []


def test_silent_address_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as full, socket_server(replies(http_reply(200, b"ok"))) as port:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with ExitStack() as stack:
            for _ in range(4):  # further connections get no answer
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            addresses = [("127.0.0.1", each) for each in (full.getsockname()[1], port)]
            found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
            connection = Connection("triton.example", port, max_bytes=100)
            assert connection.exchange("GET", "/", Deadline.after(4), headers={}).body == b"ok"
            connection.close()


def test_next_address_of_host_is_used(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    with socket_server(replies(http_reply(200, b"ok"))) as port:
        addresses = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", each)) for each in (free_port, port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: addresses)
        connection = Connection("triton.example", port, max_bytes=100)
        assert connection.exchange("GET", "/", Deadline.after(5), headers={}).body == b"ok"
        connection.close()
