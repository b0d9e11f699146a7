"""`genderclient rank`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genderclient import HistoryStore, RedisHistory
from genderclient._base_client import DEFAULT_TIMEOUT_S
from genderclient._cli.options import CaFile, Engine, Timeout, Token, Url
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
    from genderclient.tables import ClientSettings, RankingColumns, RankingTask


def rank(
    users: Users,
    output: Output,
    url: Url = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model to use. Default: rank_embedding for rows with an embedding, else rank_mobilenet."),
    ] = None,
    timeout_s: Timeout = DEFAULT_TIMEOUT_S,
    token: Token = None,
    ca_file: CaFile = None,
    k: Annotated[int, typer.Option("--k", help="Pictures per user, 1 to 20.")] = 10,
    among: Annotated[
        Path | None,
        typer.Option(help="File with one picture id per line, at most 1,000, to choose from. Default: the gallery."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Explore: draw each list at random by the scores.")] = None,
    popular: Annotated[
        bool, typer.Option("--popular", help="Rank as if nothing were known of the users: what most like comes first.")
    ] = False,
    history: Annotated[
        str | None,
        typer.Option(
            envvar="GENDERCLIENT_HISTORY",
            help="Redis with the liked pictures, as RedisHistory writes them: redis://host:port/0. Needs --id-column.",
        ),
    ] = None,
    avatar_column: AvatarColumn = None,
    nickname_column: NicknameColumn = None,
    id_column: IdColumn = None,
    liked_column: Annotated[str | None, typer.Option(help="Column of the liked pictures. Default: liked.")] = None,
    embedding_column: Annotated[str | None, typer.Option(help="Column of the embeddings. Default: embedding.")] = None,
    encoding: Encoding = None,
    fetch: Fetch = False,
    concurrency: Concurrency = 16,
    engine: EngineOption = Engine.LOCAL,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Rank the pictures of the gallery for each user of a table. If interrupted, run the same command again to resume.

    A user is read from the columns `avatar` and `nickname`, or from `embedding`, `male` and `female` as
    `genderclient score --embedding` writes them; the liked pictures from `liked`, newest first, or from --history.
    Each row of the output has the lists `pictures`, `scores` and `propensities`, best first. Exit codes and failed rows
    are those of `score`.
    """

    def make() -> "tuple[RankingColumns, ClientSettings, RankingTask]":
        from genderclient.tables import ClientSettings, RankingColumns, RankingTask

        columns = RankingColumns(
            avatar=avatar_column,
            nickname=nickname_column,
            id=id_column,
            liked=liked_column,
            embedding=embedding_column,
        )
        settings = ClientSettings(url=url, timeout_s=timeout_s, retry=RETRY, token=token, ca_file=ca_file)
        task = RankingTask(
            k=k,
            among=None if among is None else _read_ids(among),
            seed=seed,
            personalize=not popular,
            model=model,
            history=_history(history),
        )
        return columns, settings, task

    run_table_job(
        users,
        output,
        make,
        done="ranked",
        engine=engine,
        encoding=encoding,
        fetch=fetch,
        concurrency=concurrency,
        overwrite=overwrite,
        quiet=quiet,
    )


def _history(url: str | None) -> HistoryStore | None:
    return None if url is None else RedisHistory(url)


def _read_ids(file: Path) -> tuple[int, ...]:
    try:
        # Windows editors write a byte order mark.
        return tuple(map(int, file.read_text(encoding="utf-8-sig").split()))
    except ValueError:
        raise ValueError(f"{file}: expected one picture id per line") from None
