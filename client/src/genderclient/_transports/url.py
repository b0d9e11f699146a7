"""Server URLs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from genderclient._compat import Self
from genderclient._config.checks import check_type

URL_VARIABLE: Final = "GENDERCLIENT_URL"
DEFAULT_URL: Final = "grpc://127.0.0.1:8001"
_DEFAULT_PORTS: Final = {"grpc": 8001, "grpcs": 8001, "http": 8000, "https": 8000}


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """Protocol and address of a server, such as `grpc://127.0.0.1:8001` or `http://[::1]:8000`."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses `scheme://host[:port]`. The port defaults to Triton's.

        Raises:
            ValueError: For any other text. The message does not repeat it, because it may hold a password.
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise _invalid("expected a host or an address in brackets, and a port up to 65535") from None
        if parts.scheme not in _DEFAULT_PORTS:
            raise _invalid("expected grpc://, grpcs://, http:// or https://")
        if not parts.hostname or _has_more_than_an_address(parts):
            raise _invalid("expected scheme://host:port and nothing else")
        return cls(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme])

    @property
    def is_grpc(self) -> bool:
        return self.scheme in ("grpc", "grpcs")

    @property
    def secure(self) -> bool:
        """Whether the connection uses TLS."""
        return self.scheme in ("grpcs", "https")

    @property
    def address(self) -> str:
        """`host:port`, with an IPv6 host in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address}"


def server_urls(url: str | Sequence[str] | None) -> tuple[ServerUrl, ...]:
    """Parses one URL, several separated by commas, or a sequence of URLs.

    None reads the environment variable `GENDERCLIENT_URL`, which defaults to Triton on this machine.
    """
    if url is None:
        url = os.environ.get(URL_VARIABLE) or DEFAULT_URL
    check_type("url", url, (str, Sequence), "a URL or several")
    for each in [] if isinstance(url, str) else url:
        check_type("url", each, str, "a URL or several")
    texts = url.split(",") if isinstance(url, str) else url
    if not texts:
        raise ValueError(f"server URL: got none; write one like {DEFAULT_URL}")
    return tuple(ServerUrl.parse(text.strip()) for text in texts)


def _invalid(expected: str) -> ValueError:
    return ValueError(f"server URL: {expected}; write it like {DEFAULT_URL}")


def _has_more_than_an_address(parts: SplitResult) -> bool:
    return "@" in parts.netloc or parts.path not in ("", "/") or bool(parts.query or parts.fragment)
