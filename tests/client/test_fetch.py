"""Avatars from the web: a real server of https, on loopback, which counts as one's own network."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from genderclient import AvatarFetcher, DeadlineExceeded, GenderClientError, InvalidAvatar, Tls, Unavailable

OWN = ("127.0.0.0/8", "::1/128")
PICTURE = b"\x89PNG\0\0 picture"


class Web(BaseHTTPRequestHandler):
    """`/to?URL` redirects, `/big` never ends, `/slow` drips, `/gone` is not there; all else is a picture."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/to":
            self.send_response(302)
            self.send_header("Location", query)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/gone":
            self.send_error(404)
        else:
            self._send({"/big": self._endless, "/slow": self._drip}.get(path, self._picture))

    def _send(self, body: Callable[[], None]) -> None:
        self.send_response(200)
        self.end_headers()
        body()

    def _picture(self) -> None:
        self.wfile.write(PICTURE + self.path.encode())

    def _endless(self) -> None:
        try:
            while True:
                self.wfile.write(bytes(2**16))
        except OSError:
            """The client has seen enough."""

    def _drip(self) -> None:
        try:
            for _ in range(100):
                self.wfile.write(b".")
                time.sleep(0.05)
        except OSError:
            """The client has gone."""

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def web(folder: Path) -> Iterator[tuple[int, Tls]]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, Tls(ca_file=folder / "ca.pem")
        server.shutdown()


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, AvatarFetcher]]:
    with web(tmp_path_factory.mktemp("web")) as (port, tls):
        yield f"https://127.0.0.1:{port}", AvatarFetcher(networks=OWN, tls=tls, timeout_s=3, max_bytes=2**18)


def test_a_picture_comes_whole(https: tuple[str, AvatarFetcher]) -> None:
    origin, fetch = https
    assert fetch(f"{origin}/头像.png?名=1&size=2") == PICTURE + b"/%E5%A4%B4%E5%83%8F.png?%E5%90%8D=1&size=2"


def test_redirects_are_followed_three_times(https: tuple[str, AvatarFetcher]) -> None:
    origin, fetch = https
    assert fetch(f"{origin}/to?/to?/to?/me.png").startswith(PICTURE)
    with pytest.raises(InvalidAvatar, match="redirects more than 3 times"):
        fetch(f"{origin}/to?/to?/to?/to?/me.png")


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("/big", InvalidAvatar, "over the limit of 262144 bytes"),
        ("/gone", InvalidAvatar, r"127\.0\.0\.1 answered 404; check the address"),
        ("/to?http://127.0.0.1/secret", InvalidAvatar, "expected an address like https://"),
        ("/to?file:///etc/passwd", InvalidAvatar, "expected an address like https://"),
        ("/to?https://169.254.169.254/secret", InvalidAvatar, r"169\.254\.169\.254 is at no public address"),
    ],
)
def test_what_gives_no_picture(
    https: tuple[str, AvatarFetcher], path: str, error: type[GenderClientError], says: str
) -> None:
    origin, fetch = https
    with pytest.raises(error, match=says) as caught:
        fetch(origin + path)
    assert "secret" not in str(caught.value)


def test_the_time_is_for_all_of_it(https: tuple[str, AvatarFetcher]) -> None:
    origin, fetch = https
    started_s = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"127\.0\.0\.1 sent no picture within 0\.3 s"):
        AvatarFetcher(networks=OWN, tls=fetch.tls, timeout_s=0.3)(f"{origin}/slow")
    assert time.monotonic() - started_s < 2


def test_only_who_is_trusted(https: tuple[str, AvatarFetcher]) -> None:
    with pytest.raises(Unavailable, match="cannot be reached: SSLCertVerificationError"):
        AvatarFetcher(networks=OWN)(f"{https[0]}/me.png")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/me.png",
        "https:///me.png",
        "https://user:word@example.com/me.png",
        "https://[::1/me.png",
        "https://example.com:99999/me.png",
        "me.png",
        "",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InvalidAvatar, match=r"https://host/picture\.jpg"):
        AvatarFetcher()(url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ],
)
def test_private_addresses_are_never_asked(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*args: object, **options: object) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(InvalidAvatar, match="is at no public address"):
        AvatarFetcher()(f"https://{host}/me.png")
