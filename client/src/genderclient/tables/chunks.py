"""The chunks of a table: consecutive rows whose results are stored in one file.

A chunk's file is renamed into place once it is complete. Asking about a chunk twice, even at the same time, leaves one
file.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from genderclient import Client, DeadlineExceeded, GenderClientError, InvalidInput, Overloaded, Unavailable
from genderclient.tables.columns import Row
from genderclient.tables.tasks import Outcome, ScoringTask, Task
from genderclient.tables.users import LazyAvatar, UserReader, text_of

CHUNK_ROWS: Final = 512
# How often a chunk is started, each time after the server is ready again.
ATTEMPTS: Final = 3
OUTAGE_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class ChunkScorer:
    """Asks about the users of chunks with `concurrency` requests at once.

    Args:
        model: The model that must be ready after an outage; None means the client's own.
    """

    reader: UserReader
    concurrency: int
    task: Task = field(default_factory=ScoringTask)
    model: str | None = None

    def score(
        self, client: Client, chunk: list[Row], first_row: int, *, advance: Callable[[int], object] = lambda _: None
    ) -> list[Row]:
        """Score a chunk.

        If the server is unavailable, the chunk starts again once the server is ready. If the server is overloaded, it
        starts again with half the concurrency.

        Args:
            first_row: The position of the chunk's first row in the table.
            advance: Called with the number of users scored since the last call; negative when the chunk starts again.

        Returns:
            One result row per user: the columns of the result, or `error` and `reason` if the input is invalid.

        Raises:
            GenderClientError: the server still fails after `ATTEMPTS`.
        """
        concurrency, attempts = self.concurrency, ATTEMPTS
        while True:
            results: list[Row] = []
            try:
                for result in self._results(client, chunk, first_row, concurrency):
                    results.append(result)
                    advance(1)
                return results
            except Overloaded:
                if concurrency == 1:
                    raise
                concurrency //= 2
            except (Unavailable, DeadlineExceeded):
                attempts -= 1
                if not attempts:
                    raise
                client.wait_until_ready(OUTAGE_TIMEOUT_S, model=self.model)
            advance(-len(results))

    def _results(self, client: Client, chunk: list[Row], first_row: int, concurrency: int) -> Iterator[Row]:
        users = [self.reader.user(row) for row in chunk]
        keys = [
            {"row": row, "id": None if (user_id := text_of(each.get("id"))) is None else str(user_id)}
            for row, each in enumerate(chunk, first_row)
        ]
        # An error keeps its frames alive: without `closing`, requests in flight would join those of the next start.
        with closing(self.task.ask(client, users, keys, concurrency)) as outcomes:
            for user, key, outcome in zip(users, keys, outcomes, strict=True):
                avatar_error = user.avatar.error if isinstance(user.avatar, LazyAvatar) else None
                yield key | _columns(avatar_error or outcome)


def write_chunk(folder: Path, number: int, results: list[Row]) -> None:
    unfinished = folder / f".{number:08d}-{uuid.uuid4().hex}"
    unfinished.write_text("\n".join(json.dumps(row) for row in results), encoding="utf-8")
    unfinished.replace(folder / f"{number:08d}.jsonl")


def finished_chunks(folder: Path) -> set[int]:
    """The numbers of the chunks that are complete."""
    return {int(file.stem) for file in folder.glob("*.jsonl")}


def read_chunks(folder: Path) -> Iterator[Row]:
    """The results of all complete chunks, in the order of the table."""
    for file in sorted(folder.glob("*.jsonl")):
        yield from map(json.loads, file.read_text(encoding="utf-8").splitlines())


def _columns(outcome: Outcome) -> Row:
    """The columns of a result, or the input's error without the input. Raises the server's errors."""
    if isinstance(outcome, dict):
        return outcome
    if isinstance(outcome, GenderClientError) and not isinstance(outcome, InvalidInput):
        raise outcome
    return {"error": type(outcome).__name__, "reason": str(outcome)}
