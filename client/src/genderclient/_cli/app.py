"""The commands."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genderclient._cli import options
from genderclient._cli.columns import Columns
from genderclient._cli.connection import Connection
from genderclient._cli.options import CaFile, Engine, Json, Model, Timeout, Token, UnknownBelow, Url, fail
from genderclient._exceptions import GenderClientError
from genderclient._retry import Retry
from genderclient._transports.credentials import Access, Tls
from genderclient._transports.url import server_urls
from genderclient.experiments.experiment import Experiment

if TYPE_CHECKING:
    from genderclient._cli.scoring import Job

app = typer.Typer(
    help="Predict users' gender from avatars and nicknames, answered by Triton Inference Server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
MODELS = ("gender_densenet", "gender_mobilenet")


@app.command()
def predict(
    avatar: Annotated[Path | None, typer.Option(help="A picture's file.")] = None,
    nickname: Annotated[str | None, typer.Option(help="The user's name.")] = None,
    url: Url = None,
    model: Model = options.MODEL,
    timeout_s: Timeout = options.TIMEOUT_S,
    unknown_below: UnknownBelow = options.UNKNOWN_BELOW,
    token: Token = None,
    ca_file: CaFile = None,
    as_json: Json = False,
) -> None:
    """Guess the gender of one user."""
    with options.client(
        url, model=model, timeout_s=timeout_s, unknown_below=unknown_below, token=token, ca_file=ca_file
    ) as client:
        answer = client.predict(avatar=avatar, nickname=nickname)
    if as_json:
        typer.echo(json.dumps(answer.to_dict()))
        return
    weights = f"avatar {answer.weights.avatar:.2f}, nickname {answer.weights.nickname:.2f}"
    typer.echo(f"{answer.gender} ({answer.probability:.1%}); looked at: {weights}; {answer.model}")


@app.command()
def score(
    users: Annotated[
        Path,
        typer.Argument(
            help="CSV, JSONL, Parquet, or a folder of Parquet; avatars are files beside it, or their bytes."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV, JSONL or Parquet to write.")],
    url: Url = None,
    model: Model = options.MODEL,
    timeout_s: Timeout = options.TIMEOUT_S,
    unknown_below: UnknownBelow = options.UNKNOWN_BELOW,
    token: Token = None,
    ca_file: CaFile = None,
    avatar_column: Annotated[str, typer.Option(help="Where the avatars are.")] = "avatar",
    nickname_column: Annotated[str, typer.Option(help="Where the nicknames are.")] = "nickname",
    id_column: Annotated[str | None, typer.Option(help="Column to copy into the output.")] = None,
    concurrency: Annotated[int, typer.Option(help="Requests at once; with Ray, of each worker.")] = 16,
    engine: Annotated[
        Engine,
        typer.Option(help="This process, or Ray's workers: those of RAY_ADDRESS, by default one for each core here."),
    ] = Engine.LOCAL,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Score a table of users; killed, it goes on where it was when called again.

    Rows that cannot be scored go to `<output>.failed.csv` with the reason. Exit code 0: all were scored; 1: some were
    not, or the server went away; 2: a mistake in the arguments.

    With `--engine ray` parts of a Parquet file, or of a folder of them, go to whichever worker of Ray is free, each of
    which asks all servers of `--url`; the output is the same. Workers on other machines must see the same folders.
    """
    kind = _kind_of_job(engine)
    try:
        with options.mistakes():
            connection = Connection(
                url=url,
                model=model,
                timeout_s=timeout_s,
                unknown_below=unknown_below,
                retry=Retry(attempts=8, max_backoff_s=5.0),
                token=token,
                ca_file=ca_file,
            )
            job = kind(users, output, Columns(avatar=avatar_column, nickname=nickname_column, id=id_column), connection)
            found = job.run(concurrency=concurrency, progress=not quiet)
    except KeyboardInterrupt:
        raise fail("stopped; the same command goes on where it was", 130) from None
    typer.echo(f"{found.scored} scored, {found.failed} failed; {output}", err=True)
    if found.failed:
        raise fail(f"why is in {job.failures}", 1)


@app.command()
def health(
    url: Url = None,
    models: Annotated[list[str] | None, typer.Option("--model", help="Only these.")] = None,
    timeout_s: Timeout = 3.0,
    token: Token = None,
    ca_file: CaFile = None,
    as_json: Json = False,
) -> None:
    """Make a real inference with every model, for probes: Triton's own health stays green when a model cannot answer.

    Exit code 0: all answer.
    """
    found: dict[str, str | float] = {}
    with options.client(url, timeout_s=timeout_s, retry=Retry(attempts=1), token=token, ca_file=ca_file) as client:
        for model in models or MODELS:
            started_s = time.monotonic()
            try:
                client.predict(nickname="小美", model=model)
                found[model] = round(1000 * (time.monotonic() - started_s), 1)
            except GenderClientError as exc:
                found[model] = str(exc)
    if as_json:
        typer.echo(json.dumps({model: {"ok": isinstance(said, float), "said": said} for model, said in found.items()}))
    else:
        for model, said in found.items():
            typer.echo(f"{model}: {f'ok, {said} ms' if isinstance(said, float) else said}")
    if not all(isinstance(said, float) for said in found.values()):
        raise typer.Exit(1)


@app.command()
def models(
    url: Url = None,
    timeout_s: Timeout = options.TIMEOUT_S,
    token: Token = None,
    ca_file: CaFile = None,
    as_json: Json = False,
) -> None:
    """List what the server's model repository holds; one behind a front may not tell.

    A server is asked for each URL.
    """
    from genderclient._cli import repository

    with options.mistakes():
        tls = Tls(ca_file=ca_file) if ca_file else None
        urls = server_urls(url)
        found = {str(each): repository.models(each, Access.to([each], tls, token), timeout_s) for each in urls}
    if as_json:
        typer.echo(json.dumps(found))
        return
    for server, listed in found.items():
        typer.echo(server)
        for model in listed:
            reason = f" ({model['reason']})" if model["reason"] else ""
            typer.echo(f"  {model['name']} {model['version'] or '-'} {model['state'] or 'not loaded'}{reason}")


@app.command()
def experiment(
    name: Annotated[str, typer.Argument(help="The experiment's name.")],
    arm: Annotated[list[str], typer.Option(help="MODEL=WEIGHT; once for each.")],
    user: Annotated[list[str] | None, typer.Option(help="A user's id.")] = None,
    users: Annotated[Path | None, typer.Option(help="A file with an id in each line: count them.")] = None,
    salt: Annotated[str, typer.Option(help="Another one makes another split.")] = "",
    holdout: Annotated[float, typer.Option(help="Share of all users in no arm.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Say who falls in which arm."""
    try:
        split = Experiment(name, dict(map(_weight, arm)), salt=salt, holdout=holdout)
        found = {each: split.arm_of(each) or "held out" for each in user or ()}
        counts = _counts(split, users) if users else {}
    except (OSError, ValueError) as exc:
        raise fail(str(exc), 2) from exc
    if as_json:
        typer.echo(json.dumps({"users": found, "counts": counts}, ensure_ascii=False))
        return
    for each, where in found.items():
        typer.echo(f"{each}: {where}")
    for where, count in counts.items():
        typer.echo(f"{where}: {count} ({count / sum(counts.values()):.2%})")


def _kind_of_job(engine: Engine) -> "type[Job]":
    try:
        if engine is Engine.LOCAL:
            from genderclient._cli.scoring import Job

            return Job
        from genderclient._cli.ray_engine import RayJob

        return RayJob
    except ImportError as exc:
        extra = "cli" if engine is Engine.LOCAL else "ray"
        raise fail(f"{exc}; scoring needs more: pip install 'genderclient[{extra}]'", 2) from exc


def _weight(text: str) -> tuple[str, float]:
    model, _, weight = text.partition("=")
    try:
        return model, float(weight)
    except ValueError:
        raise ValueError(f"--arm {text}: expected MODEL=WEIGHT, like gender_mobilenet=0.5") from None


def _counts(split: Experiment, file: Path) -> dict[str, int]:
    counts = dict.fromkeys([*split.arms, "held out"], 0)
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if user := line.strip():
                counts[split.arm_of(user) or "held out"] += 1
    return counts
