"""Fetching from a real https server on loopback, which is allowed as a network of one's own."""

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
from tests.support.waiting import ends_soon

LOOPBACK = ("127.0.0.0/8", "::1/128")
PICTURE = b"\x89PNG\0\0 picture"


class PictureServer(BaseHTTPRequestHandler):
    """`/to?URL` redirects, `/big` is endless, `/slow` drips, `/gone` is missing; any other path is a picture."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path in ("/to", "/raw"):
            self.send_response(302)
            self.send_header("Location", query or "/头 像.png?a=%20&b".encode().decode("latin-1"))
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
            """The client closed the connection."""

    def _drip(self) -> None:
        try:
            for _ in range(400):
                self.wfile.write(b".")
                time.sleep(0.05)
        except OSError:
            """The client closed the connection."""

    def log_message(self, *args: Any) -> None:
        """Logs nothing."""


@contextmanager
def picture_server(folder: Path) -> Iterator[tuple[int, Tls]]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), PictureServer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, Tls(ca_file=folder / "ca.pem")
        server.shutdown()


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, AvatarFetcher]]:
    with picture_server(tmp_path_factory.mktemp("web")) as (port, tls):
        yield f"https://127.0.0.1:{port}", AvatarFetcher(networks=LOOPBACK, tls=tls, timeout_s=3, max_bytes=2**18)


def test_picture_is_complete(https: tuple[str, AvatarFetcher]) -> None:
    origin, fetch = https
    assert fetch(f"{origin}/头像.png?名=1&size=2") == PICTURE + b"/%E5%A4%B4%E5%83%8F.png?%E5%90%8D=1&size=2"


def test_authorities_are_read_once(https: tuple[str, AvatarFetcher], monkeypatch: pytest.MonkeyPatch) -> None:
    url, fetch = https
    assert fetch(f"{url}/a") == PICTURE + b"/a"
    monkeypatch.delattr(Tls, "context")
    assert fetch(f"{url}/a") == PICTURE + b"/a"


def test_redirect_to_an_invalid_url_is_rejected(https: tuple[str, AvatarFetcher]) -> None:
    url, fetch = https
    with pytest.raises(InvalidAvatar, match=r"redirects to an invalid URL|not a URL"):
        fetch(f"{url}/to?https://[::1/")


def test_redirect_in_raw_utf8_is_followed(https: tuple[str, AvatarFetcher]) -> None:
    origin, fetch = https
    assert fetch(f"{origin}/raw") == PICTURE + b"/%E5%A4%B4%20%E5%83%8F.png?a=%20&b"


def test_three_redirects_are_followed(https: tuple[str, AvatarFetcher]) -> None:
    origin, fetch = https
    assert fetch(f"{origin}/to?/to?/to?/me.png").startswith(PICTURE)
    with pytest.raises(InvalidAvatar, match="redirects more than 3 times"):
        fetch(f"{origin}/to?/to?/to?/to?/me.png")


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("/big", InvalidAvatar, "over the limit of 262144 bytes"),
        ("/gone", InvalidAvatar, r"127\.0\.0\.1 responded with 404; check the URL"),
        ("/to?http://127.0.0.1/secret", InvalidAvatar, "expected a URL like https://"),
        ("/to?file:///etc/passwd", InvalidAvatar, "expected a URL like https://"),
        (
            "/to?https://169.254.169.254/secret",
            InvalidAvatar,
            r"169\.254\.169\.254 does not resolve to a public address",
        ),
    ],
)
def test_invalid_target_has_an_error(
    https: tuple[str, AvatarFetcher], path: str, error: type[GenderClientError], message: str
) -> None:
    origin, fetch = https
    with pytest.raises(error, match=message) as caught:
        fetch(origin + path)
    assert "secret" not in str(caught.value)


def test_timeout_covers_everything(https: tuple[str, AvatarFetcher]) -> None:
    origin, fetch = https
    with ends_soon(), pytest.raises(DeadlineExceeded, match=r"127\.0\.0\.1 sent no picture within 0\.3 s"):
        AvatarFetcher(networks=LOOPBACK, tls=fetch.tls, timeout_s=0.3)(f"{origin}/slow")


def test_untrusted_server_is_unavailable(https: tuple[str, AvatarFetcher]) -> None:
    with pytest.raises(Unavailable, match="cannot be reached: SSLCertVerificationError"):
        AvatarFetcher(networks=LOOPBACK)(f"{https[0]}/me.png")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/me.png",
        "https:///me.png",
        "https://user:word@example.com/me.png",
        "https://[::1/me.png",
        "https://example.com:99999/me.png",
        "https://example.com/\udc80.png",
        "me.png",
        "",
    ],
)
def test_invalid_url_is_rejected(url: str) -> None:
    with pytest.raises(InvalidAvatar, match=r"https://host/picture\.jpg"):
        AvatarFetcher()(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_private_addresses_are_never_contacted(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*args: object, **options: object) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(InvalidAvatar, match="does not resolve to a public address"):
        AvatarFetcher()(f"https://{host}/me.png")


def test_one_private_address_of_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 443)) for address in ("93.184.215.14", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: answer)
    with pytest.raises(InvalidAvatar, match="does not resolve to a public address"):
        AvatarFetcher()("https://pictures.example/me.png")


def test_checked_address_is_the_one_that_is_contacted(
    https: tuple[str, AvatarFetcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server cannot answer with a public address for the check and a private one for the connection."""
    origin, fetch = https
    look_up, names = socket.getaddrinfo, []

    def record(host: str, *args: Any, **options: Any) -> Any:
        names.append(host)
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", record)
    assert fetch(f"{origin.replace('127.0.0.1', 'localhost')}/me.png").startswith(PICTURE)
    assert names[0] == "localhost"
    assert "localhost" not in names[1:]


def test_timeout_covers_the_lookup_of_the_host(hung_resolver: threading.Event) -> None:
    with pytest.raises(DeadlineExceeded, match=r"pictures\.example sent no picture within 0\.3 s"):
        AvatarFetcher(timeout_s=0.3)("https://pictures.example/me.png")
    assert not hung_resolver.is_set()


@pytest.mark.parametrize(
    "options",
    [{"timeout_s": "5"}, {"max_bytes": 1.5}, {"max_redirects": None}, {"tls": "ca.pem"}, {"networks": "10.0.0.0/8"}],
)
def test_option_of_a_wrong_type_is_named(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(TypeError, match=f"{name}: got {type(options[name]).__name__}, expected"):
        AvatarFetcher(**options)


@pytest.mark.parametrize("url", [None, 3, b"https://pictures.example/me.png"])
def test_url_of_a_wrong_type_is_named(url: Any) -> None:
    with pytest.raises(TypeError, match=r"url: got .*, expected the URL of an avatar"):
        AvatarFetcher()(url)
