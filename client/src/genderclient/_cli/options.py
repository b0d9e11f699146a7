"""The options that several commands share, and the exit codes of errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from genderclient import GenderClientError, Tls

Url = Annotated[
    str | None,
    typer.Option(
        envvar="GENDERCLIENT_URL", help="Server, or several separated by commas: grpc://host:port, http://host:port."
    ),
]
Model = Annotated[str, typer.Option(help="Model to use.")]
Timeout = Annotated[float, typer.Option(help="Seconds that one prediction may take, retries included.")]
UnknownBelow = Annotated[float, typer.Option(help="Probability below which the gender is `unknown`.")]
Token = Annotated[str | None, typer.Option(envvar="GENDERCLIENT_TOKEN", help="Bearer token of every request.")]
CaFile = Annotated[Path | None, typer.Option(help="PEM file of the certificate authority, for grpcs:// and https://.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Engine(str, Enum):
    """Where a table is scored."""

    LOCAL = "local"
    RAY = "ray"


@contextmanager
def errors_as_exit_codes() -> Iterator[None]:
    """End the command with one line on stderr. Exit code 2: invalid arguments or files; 1: an error of the server."""
    try:
        yield
    except GenderClientError as exc:
        raise fail(str(exc), 1) from exc
    except BrokenPipeError:
        # The reader of the output has ended, as in `genderclient … | head`. Typer then ends the command silently.
        raise
    except (OSError, TypeError, ValueError) as exc:
        raise fail(str(exc), 2) from exc


def tls(ca_file: Path | None) -> Tls | None:
    return Tls(ca_file=ca_file) if ca_file else None


def fail(reason: str, code: int) -> typer.Exit:
    """Print the reason to stderr; returns the exception to raise."""
    typer.echo(f"genderclient: {reason}", err=True)
    return typer.Exit(code)
