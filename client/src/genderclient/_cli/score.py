"""`genderclient score`."""

from pathlib import Path
from typing import Annotated

import typer

from genderclient import Retry
from genderclient._base_client import DEFAULT_MODEL, DEFAULT_TIMEOUT_S, DEFAULT_UNKNOWN_BELOW
from genderclient._cli.options import (
    CaFile,
    Engine,
    Model,
    Timeout,
    Token,
    UnknownBelow,
    Url,
    errors_as_exit_codes,
    fail,
)


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
