"""Certificates, and a TLS terminator before a server."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.support.tritonserver import Server


@dataclass(frozen=True)
class PemFiles:
    """The certificates of an authority, a server and a client, with their keys."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def write_pem_files(folder: Path) -> PemFiles:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name in ("server", "client"):
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
        issued.private_key_pem.write_to_path(str(folder / f"{name}.key"))
    names = ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")
    return PemFiles(*(folder / name for name in names))


@contextmanager
def tls_terminator(server: Server, files: PemFiles, received: list[bytes]) -> Iterator[int]:
    """Yields the port of a TLS server that requires a client certificate and forwards to Triton's HTTP port.

    What clients send is appended to `received`.
    """
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
            responses = threading.Thread(target=pump, args=(inside, outside, []), daemon=True)
            responses.start()
            pump(outside, inside, received)
            responses.join()

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
