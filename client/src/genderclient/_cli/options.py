"""The options that several commands share, and the client that they describe."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from genderclient._base_client import DEFAULT_MODEL, DEFAULT_TIMEOUT_S, DEFAULT_UNKNOWN_BELOW
from genderclient._cli.connection import Connection
from genderclient._client import Client
from genderclient._exceptions import GenderClientError
from genderclient._retry import Retry

Url = Annotated[
    str | None,
    typer.Option(envvar="GENDERCLIENT_URL", help="Server, or several with commas: grpc://host:port, http://host:port."),
]
Model = Annotated[str, typer.Option(help="Which model answers.")]
Timeout = Annotated[float, typer.Option(help="Seconds that one answer may take, sending again included.")]
UnknownBelow = Annotated[float, typer.Option(help="Probability under which the answer is `unknown`.")]
Token = Annotated[str | None, typer.Option(envvar="GENDERCLIENT_TOKEN", help="Goes with every request.")]
CaFile = Annotated[Path | None, typer.Option(help="PEM of the authority to trust, for grpcs:// and https://.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

MODEL, TIMEOUT_S, UNKNOWN_BELOW = DEFAULT_MODEL, DEFAULT_TIMEOUT_S, DEFAULT_UNKNOWN_BELOW


class Engine(StrEnum):
    """Where a table is scored."""

    LOCAL = "local"
    RAY = "ray"


@contextmanager
def client(
    url: str | None,
    *,
    model: str = MODEL,
    timeout_s: float = TIMEOUT_S,
    unknown_below: float = UNKNOWN_BELOW,
    retry: Retry | None = None,
    token: str | None = None,
    ca_file: Path | None = None,
) -> Iterator[Client]:
    """A client; what it raises ends the command as `mistakes` says."""
    with mistakes():
        connection = Connection(
            url=url,
            model=model,
            timeout_s=timeout_s,
            unknown_below=unknown_below,
            retry=retry or Retry(),
            token=token,
            ca_file=ca_file,
        )
        with connection.open() as opened:
            yield opened


@contextmanager
def mistakes() -> Iterator[None]:
    """What is raised ends the command in one line: exit code 2 for a mistake, 1 for the world's faults."""
    try:
        yield
    except GenderClientError as exc:
        raise fail(str(exc), 1) from exc
    except (TypeError, ValueError) as exc:
        raise fail(str(exc), 2) from exc


def fail(reason: str, code: int) -> typer.Exit:
    """Say why on stderr; to be raised."""
    typer.echo(f"genderclient: {reason}", err=True)
    return typer.Exit(code)
