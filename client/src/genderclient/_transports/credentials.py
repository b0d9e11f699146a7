"""Client credentials and server trust."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

from genderclient._compat import Self
from genderclient._config.checks import check_type
from genderclient._transports.url import ServerUrl

if TYPE_CHECKING:
    import ssl

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files for `grpcs://` and `https://`.

    Args:
        ca_file: Certificate authorities to trust. By default, those of the system.
        certificate_file: The client's own certificate.
        key_file: The private key of that certificate.
    """

    ca_file: str | os.PathLike[str] | None = None
    certificate_file: str | os.PathLike[str] | None = None
    key_file: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        for name in (each.name for each in fields(self)):
            file = getattr(self, name)
            check_type(name, file, (str, os.PathLike, type(None)), "the path of a PEM file, or None")
            if file is not None and not Path(file).is_file():
                raise ValueError(f"{name}: no file {os.fspath(file)!r}; expected a PEM file")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file, key_file: got only one of them; a client certificate needs both")

    def context(self) -> "ssl.SSLContext":
        """Creates an SSL context from the files. Raises ValueError if one of them has another format."""
        import ssl

        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except ssl.SSLError:
            raise ValueError("ca_file: expected a PEM file with certificates") from None
        if self.certificate_file is not None:
            try:
                context.load_cert_chain(self.certificate_file, self.key_file)
            except ssl.SSLError:
                raise ValueError("certificate_file, key_file: expected PEM files that belong together") from None
        return context

    def read(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """The contents of the authorities, the key and the certificate."""
        files = (self.ca_file, self.key_file, self.certificate_file)
        authorities, key, certificate = (None if file is None else Path(file).read_bytes() for file in files)
        return authorities, key, certificate


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client presents to its servers: a TLS setup and a bearer token."""

    tls: Tls = Tls()
    token: str | None = field(default=None, repr=False)

    @classmethod
    def for_servers(cls, urls: Sequence[ServerUrl], tls: Tls | None, token: str | None) -> Self:
        """Checks that `tls` applies to every server and that no server gets `token` unencrypted."""
        check_type("tls", tls, (Tls, type(None)), "Tls or None")
        check_type("token", token, (str, type(None)), "text or None")
        plain = [url for url in urls if not url.secure]
        if tls is not None and plain:
            raise ValueError(f"tls: {plain[0]} is not encrypted; use grpcs:// or https://")
        if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token and token):
            raise ValueError("token: expected visible ASCII characters")
        exposed = [url for url in plain if url.host not in LOOPBACK]
        if token is not None and exposed:
            raise ValueError(f"token: {exposed[0]} would send it unencrypted; use grpcs:// or https://")
        return cls(tls or Tls(), token)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request. Names are lower case, as gRPC requires."""
        return {} if self.token is None else {"authorization": f"Bearer {self.token}"}

    def ssl_context(self, url: ServerUrl) -> "ssl.SSLContext | None":
        """An SSL context if the URL is encrypted."""
        return self.tls.context() if url.secure else None
