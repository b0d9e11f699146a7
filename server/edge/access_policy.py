"""Which clients the reverse proxy admits, and how many requests each may send."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.edge.client_tokens import check_token_file
from server.errors import LaunchError
from server.launch.endpoints import Endpoint

# Enough to keep two cores busy. Twice as many would double the wait.
IN_FLIGHT: Final = 16
# For clients that can wait; `python -m perf priority` measures the effect on the other clients.
BULK: Final = 4
# More than nginx can handle.
UNLIMITED: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class AccessPolicy:
    """Limits, client tokens and TLS of the reverse proxy.

    Raises:
        LaunchError: A limit is below 1, a file is missing or malformed, or `certificate` and `key` do not fit.
    """

    in_flight: int = IN_FLIGHT  # concurrent requests of all clients
    bulk: int = BULK  # concurrent requests of all clients whose names start with `bulk-`
    rate: int = UNLIMITED  # requests per second of each client
    clients: Path | None = None  # token file (`server.edge.client_tokens`); without it, no token is required
    certificate: Path | None = None  # PEM; without it, connections are not encrypted
    key: Path | None = None  # PEM

    def __post_init__(self) -> None:
        for limit in ("in_flight", "bulk", "rate"):
            if (value := getattr(self, limit)) < 1:
                raise LaunchError(f"--{limit.replace('_', '-')}={value}: expected 1 or more")
        if (self.certificate is None) != (self.key is None):
            raise LaunchError("TLS needs a certificate and its key: pass --certificate=<PEM file> and --key=<PEM file>")
        for flag, file in (("--certificate", self.certificate), ("--key", self.key)):
            if file is not None and not file.is_file():
                raise LaunchError(f"{flag}: expected a PEM file, {file} does not exist")
        if self.certificate is not None and self.key is not None:
            _check_certificate(self.certificate, self.key)
        if self.clients is not None:
            check_token_file(self.clients)

    @property
    def files(self) -> dict[str, Path]:
        """The files that are given, by the names of their attributes."""
        files = {"clients": self.clients, "certificate": self.certificate, "key": self.key}
        return {name: file for name, file in files.items() if file is not None}

    def check(self, endpoint: Endpoint) -> None:
        """Require tokens and TLS if other machines can reach the endpoint.

        Raises:
            LaunchError: They can, and this policy lacks tokens or TLS.
        """
        has_tokens_and_tls = self.certificate is not None and self.clients is not None
        if not has_tokens_and_tls and not endpoint.is_loopback:
            raise LaunchError(
                f"other machines can reach {endpoint.address}, which requires tokens and TLS: "
                f"pass --clients, --certificate and --key, or {endpoint.flag}=127.0.0.1:{endpoint.port}"
            )

    def variables(self) -> dict[str, str]:
        """Return the variables of `nginx.conf.template` that this policy sets."""
        return {
            "IN_FLIGHT": str(self.in_flight),
            "BULK": str(self.bulk),
            "RATE": str(self.rate),
            "CLIENTS": _directive("include", self.clients) or "default anybody;",
            "TLS": _directive("ssl_certificate", self.certificate) + _directive("ssl_certificate_key", self.key),
        }


def _check_certificate(certificate: Path, key: Path) -> None:
    """Raise LaunchError unless these are a certificate and its key, which is not encrypted."""
    try:
        # Without a password, OpenSSL would ask for it at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except OSError as exc:
        reason = getattr(exc, "reason", None) or exc.strerror or type(exc).__name__
        raise LaunchError(
            f"--certificate, --key: expected a PEM certificate and its key without a password in {certificate} and "
            f"{key}, got {reason}"
        ) from exc


def _directive(name: str, file: Path | None) -> str:
    return f'{name} "{file.absolute()}";' if file else ""
