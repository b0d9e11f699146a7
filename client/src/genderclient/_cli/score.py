"""`genderclient score`."""

from pathlib import Path
from typing import Annotated

import typer

from genderclient import AvatarFetcher, Retry
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
from genderclient._cli.pipes import PIPE, job_files, print_file


def score(
    users: Annotated[
        Path,
        typer.Argument(
            help="CSV, TSV, JSON, JSONL or Parquet file, a folder of Parquet files, or - for standard input. "
            "Avatars are paths, bytes or base64."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write in one of these formats, or - for CSV on standard output."),
    ],
    url: Url = None,
    model: Model = DEFAULT_MODEL,
    timeout_s: Timeout = DEFAULT_TIMEOUT_S,
    unknown_below: UnknownBelow = DEFAULT_UNKNOWN_BELOW,
    token: Token = None,
    ca_file: CaFile = None,
    avatar_column: Annotated[str | None, typer.Option(help="Column of the avatars. Default: avatar.")] = None,
    nickname_column: Annotated[str | None, typer.Option(help="Column of the nicknames. Default: nickname.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column to write as `id`, also for failed rows.")] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of a text file, for example gb18030. Default: UTF-8, or UTF-16.")
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch avatars that are https:// addresses, from public hosts only.")
    ] = False,
    concurrency: Annotated[int, typer.Option(help="Requests at once; with Ray, per worker.")] = 16,
    engine: Annotated[
        Engine,
        typer.Option(help="This process, or Ray: the cluster of RAY_ADDRESS, by default one worker per core here."),
    ] = Engine.LOCAL,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")] = False,
) -> None:
    """Score a table of users. If interrupted, run the same command again to resume.

    The other columns are kept. Rows that cannot be scored are written to `<output>.failed.csv` with the reason, or to
    standard error if the output is `-`. Exit code 0: all rows are scored;
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
    if engine is Engine.RAY and PIPE in (users, output):
        raise fail("--engine ray needs files; - is not supported", 2)
    try:
        with errors_as_exit_codes(), job_files(users, output) as files:
            settings = ClientSettings(
                url=url,
                model=model,
                timeout_s=timeout_s,
                unknown_below=unknown_below,
                retry=Retry(attempts=8, max_backoff_s=5.0),
                token=token,
                ca_file=ca_file,
            )
            job = ScoringJob(
                files.users,
                files.output,
                Columns(avatar=avatar_column, nickname=nickname_column, id=id_column),
                settings,
                overwrite=overwrite,
                encoding=encoding,
                fetch=AvatarFetcher() if fetch else None,
                avatar_folder=files.avatar_folder,
                chunk_folder=files.chunk_folder,
            )
            result = job.run(concurrency=concurrency, progress=not quiet)
            if output == PIPE:
                print_file(files.output)
                if result.failed:
                    print_file(job.failures, to_stderr=True)
    except KeyboardInterrupt:
        resume = "" if PIPE in (users, output) else "; run the same command again to resume"
        raise fail(f"interrupted{resume}", 130) from None
    typer.echo(f"{result.scored} scored, {result.failed} failed; {output}", err=True)
    if result.failed:
        raise fail(f"the reasons are {'above' if output == PIPE else f'in {job.failures}'}", 1)
