"""The commands."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from genderclient import Client, Experiment, GenderClientError, Retry, Tls
from genderclient._base_client import DEFAULT_MODEL, DEFAULT_TIMEOUT_S, DEFAULT_UNKNOWN_BELOW
from genderclient._cli.options import (
    CaFile,
    Engine,
    Json,
    Model,
    Timeout,
    Token,
    UnknownBelow,
    Url,
    errors_as_exit_codes,
    fail,
)
from genderclient._transports.credentials import Credentials
from genderclient._transports.url import server_urls

MODELS: Final = ("gender_densenet", "gender_mobilenet")
HELD_OUT: Final = "held out"

app = typer.Typer(
    help="Predict gender from avatars and nicknames with Triton Inference Server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def predict(
    avatar: Annotated[Path | None, typer.Option(help="Image file.")] = None,
    nickname: Annotated[str | None, typer.Option(help="Nickname.")] = None,
    url: Url = None,
    model: Model = DEFAULT_MODEL,
    timeout_s: Timeout = DEFAULT_TIMEOUT_S,
    unknown_below: UnknownBelow = DEFAULT_UNKNOWN_BELOW,
    token: Token = None,
    ca_file: CaFile = None,
    as_json: Json = False,
) -> None:
    """Predict the gender of one user."""
    with (
        errors_as_exit_codes(),
        Client(
            url, model=model, timeout_s=timeout_s, unknown_below=unknown_below, token=token, tls=_tls(ca_file)
        ) as client,
    ):
        prediction = client.predict(avatar=avatar, nickname=nickname)
    if as_json:
        typer.echo(json.dumps(prediction.to_dict()))
        return
    weights = f"avatar {prediction.weights.avatar:.2f}, nickname {prediction.weights.nickname:.2f}"
    typer.echo(f"{prediction.gender} ({prediction.probability:.1%}); weights: {weights}; {prediction.model}")


@app.command()
def score(
    users: Annotated[
        Path,
        typer.Argument(help="CSV, JSONL or Parquet file, or a folder of Parquet files. Avatars are paths or bytes."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV, JSONL or Parquet file to write.")],
    url: Url = None,
    model: Model = DEFAULT_MODEL,
    timeout_s: Timeout = DEFAULT_TIMEOUT_S,
    unknown_below: UnknownBelow = DEFAULT_UNKNOWN_BELOW,
    token: Token = None,
    ca_file: CaFile = None,
    avatar_column: Annotated[str, typer.Option(help="Column of the avatars.")] = "avatar",
    nickname_column: Annotated[str, typer.Option(help="Column of the nicknames.")] = "nickname",
    id_column: Annotated[str | None, typer.Option(help="Column to copy to the output.")] = None,
    concurrency: Annotated[int, typer.Option(help="Requests at once; with Ray, per worker.")] = 16,
    engine: Annotated[
        Engine,
        typer.Option(help="This process, or Ray: the cluster of RAY_ADDRESS, by default one worker per core here."),
    ] = Engine.LOCAL,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")] = False,
) -> None:
    """Score a table of users. If interrupted, run the same command again to resume.

    Rows that cannot be scored are written to `<output>.failed.csv` with the reason. Exit code 0: all rows are scored;
    1: some rows are not, or the server failed; 2: invalid arguments, or a file that cannot be read or written.

    With `--engine ray`, the workers of a Ray cluster score chunks of a Parquet file, or of a folder of them. The output
    is the same. All workers must see the same folders.
    """
    try:
        from genderclient.tables import ClientSettings, Columns, ScoringJob

        if engine is Engine.RAY:
            from genderclient.ray.job import RayScoringJob as ScoringJob
    except ImportError as exc:
        extra = "ray" if engine is Engine.RAY else "cli"
        raise fail(f"{exc}; install the packages of this engine: pip install 'genderclient[{extra}]'", 2) from exc
    try:
        with errors_as_exit_codes():
            settings = ClientSettings(
                url=url,
                model=model,
                timeout_s=timeout_s,
                unknown_below=unknown_below,
                retry=Retry(attempts=8, max_backoff_s=5.0),
                token=token,
                ca_file=ca_file,
            )
            columns = Columns(avatar=avatar_column, nickname=nickname_column, id=id_column)
            job = ScoringJob(users, output, columns, settings, overwrite=overwrite)
            result = job.run(concurrency=concurrency, progress=not quiet)
    except KeyboardInterrupt:
        raise fail("interrupted; run the same command again to resume", 130) from None
    typer.echo(f"{result.scored} scored, {result.failed} failed; {output}", err=True)
    if result.failed:
        raise fail(f"the reasons are in {job.failures}", 1)


@app.command()
def health(
    url: Url = None,
    models: Annotated[list[str] | None, typer.Option("--model", help="Model to check; may be repeated.")] = None,
    timeout_s: Timeout = 3.0,
    token: Token = None,
    ca_file: CaFile = None,
    as_json: Json = False,
) -> None:
    """Check every model with an inference; for probes. Triton's own health check passes even if a model cannot answer.

    Exit code 0: all models answered.
    """
    checks: dict[str, dict[str, Any]] = {}
    with (
        errors_as_exit_codes(),
        Client(url, timeout_s=timeout_s, retry=Retry(attempts=1), token=token, tls=_tls(ca_file)) as client,
    ):
        for model in models or MODELS:
            try:
                latency_s = client.predict(nickname="小美", model=model).latency_s
                checks[model] = {"ok": True, "latency_ms": round(1000 * latency_s, 1)}
            except GenderClientError as exc:
                checks[model] = {"ok": False, "error": str(exc)}
    if as_json:
        typer.echo(json.dumps(checks))
    else:
        for model, check in checks.items():
            typer.echo(f"{model}: " + (f"ok, {check['latency_ms']} ms" if check["ok"] else check["error"]))
    if not all(check["ok"] for check in checks.values()):
        raise typer.Exit(1)


@app.command()
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
    from genderclient._cli.repository_index import repository_index

    with errors_as_exit_codes():
        indexes = {
            str(server): repository_index(server, Credentials.for_servers([server], _tls(ca_file), token), timeout_s)
            for server in server_urls(url)
        }
    if as_json:
        typer.echo(json.dumps(indexes))
        return
    for server, entries in indexes.items():
        typer.echo(server)
        for entry in entries:
            reason = f" ({entry['reason']})" if entry["reason"] else ""
            typer.echo(f"  {entry['name']} {entry['version'] or '-'} {entry['state'] or 'not loaded'}{reason}")


@app.command()
def experiment(
    name: Annotated[str, typer.Argument(help="Name of the experiment.")],
    arm: Annotated[list[str], typer.Option(help="MODEL=WEIGHT; repeat for each arm.")],
    user: Annotated[list[str] | None, typer.Option(help="Id of a user; may be repeated.")] = None,
    users: Annotated[Path | None, typer.Option(help="File with one user id per line, to count per arm.")] = None,
    salt: Annotated[str, typer.Option(help="A different salt gives a different split.")] = "",
    holdout: Annotated[float, typer.Option(help="Fraction of users in no arm.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Show which arm of an experiment a user is in."""
    with errors_as_exit_codes():
        split = Experiment(name, dict(map(_parse_arm, arm)), salt=salt, holdout=holdout)
        arms = {user_id: split.arm_of(user_id) or HELD_OUT for user_id in user or ()}
        counts = _count_arms(split, users) if users else {}
    if as_json:
        typer.echo(json.dumps({"users": arms, "counts": counts}, ensure_ascii=False))
        return
    for user_id, assigned in arms.items():
        typer.echo(f"{user_id}: {assigned}")
    for assigned, count in counts.items():
        typer.echo(f"{assigned}: {count} ({count / sum(counts.values()):.2%})")


def _tls(ca_file: Path | None) -> Tls | None:
    return Tls(ca_file=ca_file) if ca_file else None


def _parse_arm(text: str) -> tuple[str, float]:
    model, _, weight = text.partition("=")
    try:
        return model, float(weight)
    except ValueError:
        raise ValueError(f"--arm {text}: expected MODEL=WEIGHT, for example gender_mobilenet=0.5") from None


def _count_arms(split: Experiment, file: Path) -> dict[str, int]:
    counts = Counter(dict.fromkeys([*split.arms, HELD_OUT], 0))
    with file.open(encoding="utf-8") as lines:
        counts.update(split.arm_of(user_id) or HELD_OUT for line in lines if (user_id := line.strip()))
    return counts
