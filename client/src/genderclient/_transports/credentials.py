"""How to prove who one is, and who the server is."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from genderclient._transports.url import ServerUrl

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files of PEM for `grpcs://` and `https://`: whose certificates to trust, and a certificate of one's own.

    Without `ca_file` the usual authorities are trusted. Raises ValueError where a file is missing, or a certificate is
    given without its key.
    """

    ca_file: str | os.PathLike[str] | None = None
    certificate_file: str | os.PathLike[str] | None = None
    key_file: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            file = getattr(self, name)
            if file is not None and not Path(file).is_file():
                raise ValueError(f"{name}: no file {os.fspath(file)!r}; expected one of PEM")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file, key_file: got one of them; a certificate of one's own needs both")

    def context(self) -> Any:
        """An `ssl.SSLContext` that trusts and shows what the files say."""
        import ssl

        context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context


@dataclass(frozen=True, slots=True)
class Access:
    """TLS where the URL says so, and a token for every request."""

    tls: Tls = Tls()
    token: str | None = field(default=None, repr=False)

    @classmethod
    def to(cls, urls: Sequence[ServerUrl], tls: Tls | None, token: str | None) -> "Access":
        """Checked for these servers: nothing given is left unused, and no token travels in the clear.

        Raises ValueError otherwise.
        """
        plain = [url for url in urls if not url.secure]
        if tls is not None and plain:
            raise ValueError(f"tls: {plain[0]} is not encrypted; write grpcs:// or https://")
        if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token and token):
            raise ValueError("token: expected visible ASCII characters")
        exposed = [url for url in plain if url.host not in _LOOPBACK]
        if token is not None and exposed:
            raise ValueError(f"token: {exposed[0]} would show it to everybody on the way; write grpcs:// or https://")
        return cls(tls or Tls(), token)

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries; lower case, as gRPC wants it."""
        return {} if self.token is None else {"authorization": f"Bearer {self.token}"}

    def grpc_options(self, url: ServerUrl) -> dict[str, Any]:
        """As tritonclient takes them."""
        if not url.secure:
            return {}
        files = {
            "root_certificates": self.tls.ca_file,
            "certificate_chain": self.tls.certificate_file,
            "private_key": self.tls.key_file,
        }
        return {"ssl": True, **files}

    def ssl_context(self, url: ServerUrl) -> Any:
        """An `ssl.SSLContext`, None for a server in the clear."""
        return self.tls.context() if url.secure else None
