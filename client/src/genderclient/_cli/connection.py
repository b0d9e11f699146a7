"""How to reach the servers, as something that can travel to where the work is done."""

from dataclasses import dataclass, field
from pathlib import Path

from genderclient._base_client import DEFAULT_MODEL, DEFAULT_RETRY, DEFAULT_TIMEOUT_S, DEFAULT_UNKNOWN_BELOW
from genderclient._client import Client
from genderclient._retry import Retry
from genderclient._transports.credentials import Tls


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What a client is made of; the client itself stays in its process.

    Raises TypeError or ValueError for what cannot be.
    """

    url: str | None = None
    model: str = DEFAULT_MODEL
    timeout_s: float = DEFAULT_TIMEOUT_S
    unknown_below: float = DEFAULT_UNKNOWN_BELOW
    retry: Retry = DEFAULT_RETRY
    token: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        self.open().close()

    def open(self) -> Client:
        """A client, which connects with its first call."""
        return Client(
            self.url,
            model=self.model,
            timeout_s=self.timeout_s,
            unknown_below=self.unknown_below,
            retry=self.retry,
            token=self.token,
            tls=Tls(ca_file=self.ca_file) if self.ca_file else None,
        )
