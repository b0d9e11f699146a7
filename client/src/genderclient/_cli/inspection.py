"""`genderclient health` and `genderclient models`: what a server can answer, and what it has loaded."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from genderclient import Client, DeadlineExceeded, GenderClientError, Retry, Unavailable
from genderclient._base_client import DEFAULT_TIMEOUT_S
from genderclient._cli.options import CaFile, Json, Timeout, Token, Url, errors_as_exit_codes, tls
from genderclient._cli.repository import Repository, models_with_roles
from genderclient._transports.credentials import Credentials
from genderclient._transports.url import server_urls

DEFAULT_MODELS: Final = ("gender_densenet", "gender_mobilenet")
OTHER_MODELS: Final = ("rank_densenet", "rank_mobilenet", "rank_embedding", "similar", "embed", "screen")
# Of the trial of another version beside the stable model.
CANARY_SUFFIX: Final = "_canary"


def health(
    url: Url = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help="Any model to check; may be repeated. By default all that answer questions."),
    ] = None,
    timeout_s: Timeout = 3.0,
    token: Token = None,
    ca_file: CaFile = None,
    as_json: Json = False,
) -> None:
    """Check every model with an inference; for probes. Triton's own health check passes even if a model cannot answer.

    Exit code 0: all models answered.
    """
    checks: dict[str, dict[str, Any]] = {}
    with errors_as_exit_codes():
        repositories = _repositories(url, token, ca_file, timeout_s)
        for repository in repositories:
            server = str(repository.url)
            prefix = f"{server} " if len(repositories) > 1 else ""
            with Client(server, timeout_s=timeout_s, retry=Retry(attempts=1), token=token, tls=tls(ca_file)) as client:
                for model in models or _models_to_check(repository):
                    checks[f"{prefix}{model}"] = _check(client, model)
    if as_json:
        typer.echo(json.dumps(checks))
    else:
        for model, check in checks.items():
            typer.echo(f"{model}: " + (f"ok, {check['latency_ms']} ms" if check["ok"] else check["error"]))
    if not all(check["ok"] for check in checks.values()):
        raise typer.Exit(1)


def _check(client: Client, model: str) -> dict[str, Any]:
    try:
        latency_s = client._run(client._probe(model)).latency_s
    except GenderClientError as exc:
        return {"ok": False, "error": str(exc)}
    return {"ok": True, "latency_ms": round(1000 * latency_s, 1)}


def models(
    url: Url = None,
    timeout_s: Timeout = DEFAULT_TIMEOUT_S,
    token: Token = None,
    ca_file: CaFile = None,
    as_json: Json = False,
) -> None:
    """List the models in the repository of each server. A reverse proxy may reject this request.

    Servers of other users or on other machines may require their key in TRITON_ADMIN_KEY.
    """
    with errors_as_exit_codes():
        indexes = {str(each.url): each.index() for each in _repositories(url, token, ca_file, timeout_s)}
    if as_json:
        typer.echo(json.dumps(indexes))
        return
    for server, entries in indexes.items():
        typer.echo(server)
        for entry in entries:
            reason = f" ({entry['reason']})" if entry["reason"] else ""
            typer.echo(f"  {entry['name']} {entry['version'] or '-'} {entry['state'] or 'not loaded'}{reason}")


def _repositories(url: str | None, token: str | None, ca_file: Path | None, timeout_s: float) -> list[Repository]:
    return [
        Repository(server, Credentials.for_servers([server], tls(ca_file), token), timeout_s)
        for server in server_urls(url)
    ]


def _models_to_check(repository: Repository) -> list[str]:
    """What the server lists, else the default models, and of the other ones and the canaries those that it has.

    The latter is noted on stderr.
    """
    try:
        if names := models_with_roles(repository, DEFAULT_MODELS):
            return names
        reason = "no loaded model has a role"
    except (DeadlineExceeded, Unavailable):
        return [*DEFAULT_MODELS]
    except GenderClientError as exc:
        reason = str(exc)
    typer.echo(f"genderclient: checking the default models, because the server lists none: {reason}", err=True)
    canaries = (f"{model}{CANARY_SUFFIX}" for model in (*DEFAULT_MODELS, *OTHER_MODELS))
    return [*DEFAULT_MODELS, *filter(repository.serves, (*OTHER_MODELS, *canaries))]
