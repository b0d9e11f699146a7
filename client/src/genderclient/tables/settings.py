"""The settings of a client, in a form that can be sent to another process."""

from dataclasses import dataclass, field
from pathlib import Path

from genderclient import Client, Retry, Tls
from genderclient._base_client import DEFAULT_MODEL, DEFAULT_RETRY, DEFAULT_TIMEOUT_S, DEFAULT_UNKNOWN_BELOW


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """The arguments of a `Client`, checked. They can be pickled; the client cannot."""

    url: str | None = None
    model: str = DEFAULT_MODEL
    timeout_s: float = DEFAULT_TIMEOUT_S
    unknown_below: float = DEFAULT_UNKNOWN_BELOW
    retry: Retry = DEFAULT_RETRY
    token: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        self.client().close()

    def client(self) -> Client:
        """A new client. It connects with its first request."""
        return Client(
            self.url,
            model=self.model,
            timeout_s=self.timeout_s,
            unknown_below=self.unknown_below,
            retry=self.retry,
            token=self.token,
            tls=Tls(ca_file=self.ca_file) if self.ca_file else None,
        )
