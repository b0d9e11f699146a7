"""What `genderclient score` and `genderclient rank` share: the options of a table, and running its job."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genderclient import AvatarFetcher, Retry
from genderclient._cli.options import Engine, errors_as_exit_codes, fail
from genderclient._cli.pipes import PIPE, job_files, print_file

if TYPE_CHECKING:
    from genderclient.tables import ClientSettings, Columns
    from genderclient.tables.tasks import Task

Users = Annotated[
    Path,
    typer.Argument(
        help="CSV, TSV, JSON, JSONL or Parquet file, a folder of Parquet files, or - for standard input. "
        "Avatars are paths, bytes or base64."
    ),
]
Output = Annotated[
    Path,
    typer.Option("--output", "-o", help="File to write in one of these formats, or - for CSV on standard output."),
]
AvatarColumn = Annotated[str | None, typer.Option(help="Column of the avatars. Default: avatar.")]
NicknameColumn = Annotated[str | None, typer.Option(help="Column of the nicknames. Default: nickname.")]
IdColumn = Annotated[str | None, typer.Option(help="Column to write as `id`, also for failed rows.")]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of a text file, for example gb18030. Default: UTF-8, or UTF-16.")
]
Fetch = Annotated[
    bool, typer.Option("--fetch", help="Fetch avatars that are https:// addresses, from public hosts only.")
]
Concurrency = Annotated[int, typer.Option(help="Requests at once; with Ray, per worker.")]
EngineOption = Annotated[
    Engine,
    typer.Option(help="This process, or Ray: the cluster of RAY_ADDRESS, by default one worker per core here."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")]
RETRY = Retry(attempts=8, max_backoff_s=5.0)


def run_table_job(
    users: Path,
    output: Path,
    make: "Callable[[], tuple[Columns, ClientSettings, Task]]",
    *,
    done: str,
    engine: Engine,
    encoding: str | None,
    fetch: bool,
    concurrency: int,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Run the job of a command.

    Args:
        make: Makes the columns, the settings and the task. It may import the packages of `genderclient.tables`.
        done: What was done with the users, for the last line.
    """
    try:
        from genderclient.tables import TableJob

        if engine is Engine.RAY:
            from genderclient.ray.job import RayTableJob as TableJob
    except ImportError as exc:
        extra = "ray" if engine is Engine.RAY else "cli"
        raise fail(f"{exc}; install the packages of this engine: pip install 'genderclient[{extra}]'", 2) from exc
    if engine is Engine.RAY and PIPE in (users, output):
        raise fail("--engine ray needs files; - is not supported", 2)
    try:
        with errors_as_exit_codes(), job_files(users, output) as files:
            job = TableJob(
                files.users,
                files.output,
                *make(),
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
    typer.echo(f"{result.succeeded} {done}, {result.failed} failed; {output}", err=True)
    if result.failed:
        raise fail(f"the reasons are {'above' if output == PIPE else f'in {job.failures}'}", 1)
