"""Encrypted and with a token: Triton's own TLS on gRPC, a terminator before it on HTTP."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from genderclient import AsyncClient, Client, Tls, Unavailable
from tests.support.tritonserver import ROOT, Server, running_triton


@dataclass(frozen=True)
class Files:
    """An authority, a server's certificate and a client's, all as PEM."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder, authority = tmp_path_factory.mktemp("pem"), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name in ("server", "client"):
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
        issued.private_key_pem.write_to_path(str(folder / f"{name}.key"))
    names = ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")
    return Files(*(folder / name for name in names))


@contextmanager
def terminator(server: Server, files: Files, seen: list[bytes]) -> Iterator[int]:
    """The port of a server that speaks TLS, asks for a certificate and passes everything on; it adds to `seen`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.ca)
    context.load_cert_chain(files.server, files.server_key)
    context.verify_mode = ssl.CERT_REQUIRED
    host, port = server.http_url.split(":")

    def pump(source: socket.socket, sink: socket.socket, record: list[bytes]) -> None:
        with suppress(OSError):
            while data := source.recv(2**16):
                record.append(data)
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def serve(plain: socket.socket) -> None:
        with (
            suppress(OSError),
            context.wrap_socket(plain, server_side=True) as outside,
            socket.create_connection((host, int(port))) as inside,
        ):
            back = threading.Thread(target=pump, args=(inside, outside, []), daemon=True)
            back.start()
            pump(outside, inside, seen)
            back.join()

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def seen() -> list[bytes]:
    return []


@pytest.fixture(scope="module")
def urls(files: Files, seen: list[bytes]) -> Iterator[dict[str, str]]:
    flags = (
        "--grpc-use-ssl=true",
        "--grpc-use-ssl-mutual=true",
        f"--grpc-server-cert={files.server}",
        f"--grpc-server-key={files.server_key}",
        f"--grpc-root-cert={files.ca}",
    )
    with running_triton(ROOT / "model_repository", *flags) as server, terminator(server, files, seen) as port:
        yield {"grpcs": f"grpcs://{server.grpc_url}", "https": f"https://127.0.0.1:{port}"}


@pytest.fixture(params=["grpcs", "https"])
def url(request: pytest.FixtureRequest, urls: dict[str, str]) -> str:
    return urls[request.param]


@pytest.fixture
def tls(files: Files) -> Tls:
    return Tls(ca_file=files.ca, certificate_file=files.client, key_file=files.client_key)


def test_both_sides_show_their_certificates(url: str, tls: Tls) -> None:
    with Client(url, tls=tls) as client:
        assert [client.predict(nickname="小美").gender for _ in range(3)] == ["female"] * 3


def test_the_same_for_an_event_loop(url: str, tls: Tls) -> None:
    async def ask() -> None:
        async with AsyncClient(url, tls=tls) as client:
            assert (await client.predict(nickname="小美")).gender == "female"

    asyncio.run(ask())


def test_a_server_of_an_unknown_authority_is_not_trusted(url: str, files: Files) -> None:
    tls = Tls(certificate_file=files.client, key_file=files.client_key)
    with (
        Client(url, tls=tls, timeout_s=3) as client,
        pytest.raises(Unavailable, match=r"(?i)certificate|handshake|ssl"),
    ):
        client.predict(nickname="小美")


def test_a_client_without_a_certificate_is_not_let_in(url: str, files: Files) -> None:
    with Client(url, tls=Tls(ca_file=files.ca), timeout_s=3) as client, pytest.raises(Unavailable):
        client.predict(nickname="小美")


def test_a_token_goes_with_every_request(urls: dict[str, str], tls: Tls, seen: list[bytes]) -> None:
    with Client(urls["https"], tls=tls, token="s3cret") as client:
        client.predict(nickname="小美")
        assert "s3cret" not in repr(client)
    assert b"authorization: Bearer s3cret\r\n" in b"".join(seen)


def test_no_token_in_the_clear() -> None:
    Client("http://127.0.0.1:8000", token="s3cret")
    with pytest.raises(ValueError, match="token: http://triton:8000 would show it to everybody on the way") as caught:
        Client("http://triton", token="s3cret")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("token", ["", " x", "a\r\nb", "密"])
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(ValueError, match="token: expected visible ASCII"):
        Client("https://triton", token=token)


def test_tls_for_a_server_in_the_clear(tls: Tls) -> None:
    with pytest.raises(ValueError, match="tls: http://triton:8000 is not encrypted; write grpcs:// or https://"):
        Client(["https://triton", "http://triton"], tls=tls)


def test_files_that_are_not_there(files: Files, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ca_file: no file .*no\.pem"):
        Tls(ca_file=tmp_path / "no.pem")
    with pytest.raises(ValueError, match="got one of them"):
        Tls(certificate_file=files.client)
