"""The command and its parts."""

import json
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer

from genderclient import Client, Experiment
from genderclient._base_client import DEFAULT_MODEL, DEFAULT_TIMEOUT_S, DEFAULT_UNKNOWN_BELOW
from genderclient._cli.inspection import health, models
from genderclient._cli.options import (
    CaFile,
    Json,
    Model,
    Timeout,
    Token,
    UnknownBelow,
    Url,
    errors_as_exit_codes,
    fail,
    tls,
)
from genderclient._cli.rank import rank
from genderclient._cli.score import score

HELD_OUT: Final = "held out"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"genderclient {version('genderclient')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Predict gender from avatars and nicknames, and rank pictures, with Triton Inference Server."""


@app.command(context_settings={"allow_extra_args": True})
def predict(
    context: typer.Context,
    avatar: Annotated[str | None, typer.Option(help="Image file.")] = None,
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
    if context.args:
        # Typer's own message repeats them: they may be a nickname without quotes.
        raise fail(f"got {len(context.args)} arguments too many; quote a nickname that has spaces", 2)
    with (
        errors_as_exit_codes(),
        Client(
            url, model=model, timeout_s=timeout_s, unknown_below=unknown_below, token=token, tls=tls(ca_file)
        ) as client,
    ):
        prediction = client.predict(avatar=avatar, nickname=nickname)
    if as_json:
        typer.echo(json.dumps(prediction.to_dict()))
        return
    weights = f"avatar {prediction.weights.avatar:.2f}, nickname {prediction.weights.nickname:.2f}"
    typer.echo(f"{prediction.gender} ({prediction.probability:.1%}); weights: {weights}; {prediction.model}")


app.command()(score)
app.command()(rank)
app.command()(health)
app.command()(models)


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


def _parse_arm(text: str) -> tuple[str, float]:
    model, _, weight = text.partition("=")
    try:
        return model, float(weight)
    except ValueError:
        raise ValueError(f"--arm {text}: expected MODEL=WEIGHT, for example gender_mobilenet=0.5") from None


def _count_arms(split: Experiment, file: Path) -> dict[str, int]:
    counts = Counter(dict.fromkeys([*split.arms, HELD_OUT], 0))
    try:
        # Windows editors write a byte order mark.
        with file.open(encoding="utf-8-sig") as lines:
            counts.update(split.arm_of(user_id) or HELD_OUT for line in lines if (user_id := line.strip()))
    except UnicodeDecodeError:
        raise ValueError(f"{file}: expected one user id per line, in UTF-8") from None
    return counts
