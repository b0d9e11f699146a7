"""`genderclient score`."""

from typing import TYPE_CHECKING, Annotated

import typer

from genderclient._base_client import DEFAULT_MODEL, DEFAULT_TIMEOUT_S, DEFAULT_UNKNOWN_BELOW
from genderclient._cli.options import CaFile, Engine, Model, Timeout, Token, UnknownBelow, Url
from genderclient._cli.table_job import (
    RETRY,
    AvatarColumn,
    Concurrency,
    Encoding,
    EngineOption,
    Fetch,
    IdColumn,
    NicknameColumn,
    Output,
    Overwrite,
    Quiet,
    Users,
    run_table_job,
)

if TYPE_CHECKING:
    from genderclient.tables import ClientSettings, Columns, ScoringTask


def score(
    users: Users,
    output: Output,
    url: Url = None,
    model: Model = DEFAULT_MODEL,
    timeout_s: Timeout = DEFAULT_TIMEOUT_S,
    unknown_below: UnknownBelow = DEFAULT_UNKNOWN_BELOW,
    token: Token = None,
    ca_file: CaFile = None,
    avatar_column: AvatarColumn = None,
    nickname_column: NicknameColumn = None,
    id_column: IdColumn = None,
    embedding: Annotated[
        bool, typer.Option("--embedding", help="Write the embeddings too, so that `rank` needs no avatars.")
    ] = False,
    encoding: Encoding = None,
    fetch: Fetch = False,
    concurrency: Concurrency = 16,
    engine: EngineOption = Engine.LOCAL,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Score a table of users. If interrupted, run the same command again to resume.

    The other columns are kept. Rows that cannot be scored are written to `<output>.failed.csv` with the reason, or to
    standard error if the output is `-`. Exit code 0: all rows are scored;
    1: some rows are not, or the server failed; 2: invalid arguments, or a file that cannot be read or written.

    With `--engine ray`, the workers of a Ray cluster score chunks of a Parquet file, or of a folder of them. The output
    is the same. All workers must see the same folders.
    """

    def make() -> "tuple[Columns, ClientSettings, ScoringTask]":
        from genderclient.tables import ClientSettings, Columns, ScoringTask

        settings = ClientSettings(
            url=url,
            model=model,
            timeout_s=timeout_s,
            unknown_below=unknown_below,
            retry=RETRY,
            token=token,
            ca_file=ca_file,
        )
        columns = Columns(avatar=avatar_column, nickname=nickname_column, id=id_column)
        return columns, settings, ScoringTask(embedding=embedding)

    run_table_job(
        users,
        output,
        make,
        done="scored",
        engine=engine,
        encoding=encoding,
        fetch=fetch,
        concurrency=concurrency,
        overwrite=overwrite,
        quiet=quiet,
    )
