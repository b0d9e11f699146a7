"""Where the server is."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self, get_args
from urllib.parse import SplitResult, urlsplit

Scheme = Literal["grpc", "grpcs", "http", "https"]

URL_VARIABLE: Final = "GENDERCLIENT_URL"
DEFAULT_URL: Final = "grpc://127.0.0.1:8001"
_DEFAULT_PORTS: Final[dict[Scheme, int]] = {"grpc": 8001, "grpcs": 8001, "http": 8000, "https": 8000}


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A server's protocol and address, such as `grpc://127.0.0.1:8001` or `http://[::1]:8000`."""

    scheme: Scheme
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `scheme://host[:port]`; the port defaults to Triton's own.

        Raises ValueError when `text` is anything else.
        """
        try:
            parts = urlsplit(text)
            scheme = _scheme(parts.scheme)
            if not parts.hostname or _has_more_than_an_address(parts):
                raise ValueError("expected scheme://host:port and nothing else")
            return cls(scheme, parts.hostname, parts.port or _DEFAULT_PORTS[scheme])
        except ValueError as exc:
            raise ValueError(f"server URL {text!r}: {exc}; write it like {DEFAULT_URL}") from exc

    @property
    def secure(self) -> bool:
        """Whether it is reached by TLS."""
        return self.scheme in ("grpcs", "https")

    @property
    def address(self) -> str:
        """`host:port`, an IPv6 host in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address}"


def server_urls(given: str | Sequence[str] | None) -> tuple[ServerUrl, ...]:
    """The servers to ask: those given, else the environment's `GENDERCLIENT_URL`, else Triton on this machine.

    Text holds one URL, or several with commas in between. Raises ValueError when there is none, or one is no URL.
    """
    if given is None:
        given = os.environ.get(URL_VARIABLE) or DEFAULT_URL
    texts = given.split(",") if isinstance(given, str) else given
    if not texts:
        raise ValueError(f"server URL: got none; write one like {DEFAULT_URL}")
    return tuple(ServerUrl.parse(text.strip()) for text in texts)


def _scheme(name: str) -> Scheme:
    for scheme in get_args(Scheme):
        if name == scheme:
            return scheme  # type: ignore[no-any-return]
    raise ValueError("expected grpc://, grpcs://, http:// or https://")


def _has_more_than_an_address(parts: SplitResult) -> bool:
    return "@" in parts.netloc or parts.path not in ("", "/") or bool(parts.query or parts.fragment)
