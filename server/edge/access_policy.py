"""Who may come in at the front, and how much."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.edge.client_tokens import check_clients
from server.errors import LaunchError
from server.launch.flags import Endpoint

# Enough to keep two cores busy, half as long a wait as with twice as many.
IN_FLIGHT: Final = 16
# Of these, what clients who can wait may have: `perf.experiments.priority` measures what it does to the others.
BULK: Final = 4
# More than nginx carries.
UNLIMITED: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Limits, and where they say so, tokens and TLS.

    Without `clients` (the format: `server.edge.client_tokens`) everybody may come in, without `certificate` and `key` (files of
    PEM) in the clear. `in_flight` requests at once, of which `bulk` by clients named `bulk-…`; of each client `rate` a
    second.

    Raises:
        LaunchError: a limit is none, a file is missing, or says what it cannot.
    """

    in_flight: int = IN_FLIGHT
    bulk: int = BULK
    rate: int = UNLIMITED
    clients: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        for limit in ("in_flight", "bulk", "rate"):
            if (value := getattr(self, limit)) < 1:
                raise LaunchError(f"--{limit.replace('_', '-')}={value}: expected 1 or more")
        if (self.certificate is None) != (self.key is None):
            raise LaunchError("TLS needs both: pass --certificate=<PEM file> and --key=<PEM file>")
        for flag, file in (("--certificate", self.certificate), ("--key", self.key)):
            if file is not None and not file.is_file():
                raise LaunchError(f"{flag}: there is no file {file}; expected one of PEM")
        if self.clients is not None:
            check_clients(self.clients)

    def check(self, endpoint: Endpoint) -> None:
        """Refuse to be open to other machines without tokens or in the clear.

        Raises:
            LaunchError: it would be.
        """
        guarded = self.certificate is not None and self.clients is not None
        if not guarded and not endpoint.is_loopback:
            raise LaunchError(
                f"{endpoint.address} is open to other machines, which takes tokens and TLS: "
                f"pass --clients, --certificate and --key, or {endpoint.flag}=127.0.0.1:{endpoint.port}"
            )

    def variables(self) -> dict[str, str]:
        """Of the template."""
        return {
            "IN_FLIGHT": str(self.in_flight),
            "BULK": str(self.bulk),
            "RATE": str(self.rate),
            "CLIENTS": _directive("include", self.clients) or "default anybody;",
            "TLS": _directive("ssl_certificate", self.certificate) + _directive("ssl_certificate_key", self.key),
        }


def _directive(name: str, file: Path | None) -> str:
    return f'{name} "{file.absolute()}";' if file else ""
