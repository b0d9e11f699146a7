"""A job over a table: every user is asked about once, even if the job is interrupted and run again."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import count, islice, repeat
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from tqdm import tqdm

from genderclient._many import checked_concurrency
from genderclient.tables import chunks, formats
from genderclient.tables.columns import Columns, Row
from genderclient.tables.errors import TableError
from genderclient.tables.settings import ClientSettings
from genderclient.tables.targets import DESCRIPTION, check_targets
from genderclient.tables.tasks import FAILURE_SCHEMA, KEY_SCHEMA, ScoringTask, Task
from genderclient.tables.users import UserReader

CONNECT_TIMEOUT_S: Final = 5.0
SCORING: Final = ScoringTask()


@dataclass(frozen=True, slots=True)
class JobResult:
    """The number of users with a result, and of those without one."""

    succeeded: int
    failed: int


class TableJob:
    """Asks about the users of a table; writes the results into `output`, and invalid users into `failures`.

    Until all chunks are finished, they are stored in the folder `<output>.chunks`.

    Args:
        users: A CSV, TSV, JSON, JSONL or Parquet file, or a folder of Parquet files.
        output: The file to write, in one of these formats.
        task: What to ask: a `ScoringTask` or a `RankingTask`.
        overwrite: Whether to replace an output that exists. The input is never replaced.
        encoding: The encoding of a text file; by default UTF-8, or UTF-16 if the first bytes show it.
        fetch: Fetches avatars that are web addresses, for example an `AvatarFetcher`. By default, they are rejected.
        avatar_folder: Where paths of avatars start; by default the folder of the table.
        chunk_folder: Where unfinished work is stored; by default `<output>.chunks`.

    Raises:
        OSError, TableError: the input, the output or the columns cannot be used.
    """

    def __init__(
        self,
        users: Path,
        output: Path,
        columns: Columns,
        settings: ClientSettings,
        task: Task = SCORING,
        *,
        overwrite: bool = False,
        encoding: str | None = None,
        fetch: Callable[[str], bytes] | None = None,
        avatar_folder: Path | None = None,
        chunk_folder: Path | None = None,
    ) -> None:
        self.failures = output.with_name(f"{output.name}.failed.csv")
        self._output, self._columns, self._settings, self._encoding = output, columns, settings, encoding
        self._task = task
        self._reader = UserReader(avatar_folder or (users if users.is_dir() else users.parent), fetch)
        self._chunk_folder = chunk_folder or output.with_name(f"{output.name}.chunks")
        formats.suffix_of(output)
        files = formats.table_files(users)
        check_targets(files, (output, self.failures), self._chunk_folder, overwrite=overwrite)
        self._table = self._open_table(files)
        self._model = task.model_for(self._table.roles)
        self._schema = pa.schema([*KEY_SCHEMA, *task.schema, *self._table.kept_schema])

    def run(self, *, concurrency: int, progress: bool = False) -> JobResult:
        """Ask about the users of the chunks that are not finished, then write the output.

        Args:
            concurrency: The number of requests at once.
            progress: Whether to show a progress bar on stderr.

        Raises:
            OSError, TableError: a file cannot be read or written, or the chunks in the folder belong to another job.
            GenderClientError: the server fails.
        """
        checked_concurrency(concurrency)
        self._claim_chunk_folder()
        done = len(chunks.finished_chunks(self._chunk_folder)) * chunks.CHUNK_ROWS
        total = self._table.count
        with tqdm(total=total, initial=min(done, total), unit=" users", disable=not progress) as bar:
            scorer = chunks.ChunkScorer(self._reader, concurrency, self._task, self._model)
            self._score(scorer, bar)
        return self._finish()

    def _open_table(self, files: list[Path]) -> formats.Table:
        return formats.open_table(files, self._columns, [*KEY_SCHEMA.names, *self._task.schema.names], self._encoding)

    def _claim_chunk_folder(self) -> None:
        """Describe this job in the folder, so that chunks of another job are not mixed with its own."""
        stats = [(file, file.stat()) for file in self._table.files]
        job = {
            "files": [[str(file.resolve()), stat.st_size, stat.st_mtime_ns] for file, stat in stats],
            "columns": asdict(self._columns),
            "encoding": self._encoding,
            "fetch": self._reader.fetch is not None,
            "model": self._settings.model,
            "unknown_below": self._settings.unknown_below,
            "chunk_rows": chunks.CHUNK_ROWS,
            **self._task.describe(),
        }
        description = self._chunk_folder / DESCRIPTION
        if not description.is_file():
            self._chunk_folder.mkdir(exist_ok=True)
            draft = description.with_suffix(".draft")
            draft.write_text(json.dumps(job), encoding="utf-8")
            draft.replace(description)
        elif json.loads(description.read_text(encoding="utf-8")) != job:
            raise TableError(
                f"{self._chunk_folder} belongs to a job with another input, model or choice of columns; "
                "finish that job, or remove the folder"
            )

    def _score(self, scorer: chunks.ChunkScorer, bar: "tqdm[Any]") -> None:
        """Write the chunks that are not finished, and advance `bar`."""
        finished = chunks.finished_chunks(self._chunk_folder)
        rows = self._table.rows()
        with self._settings.client() as client:
            # A wrong address fails now. An outage later is waited out.
            client.wait_until_ready(CONNECT_TIMEOUT_S, model=scorer.model)
            for number in count():
                chunk = list(islice(rows, chunks.CHUNK_ROWS))
                if not chunk:
                    break
                if number not in finished:
                    results = scorer.score(client, chunk, number * chunks.CHUNK_ROWS, advance=bar.update)
                    chunks.write_chunk(self._chunk_folder, number, results)

    def _finish(self) -> JobResult:
        formats.write_rows(self._output, self._joined_rows(), self._schema)
        succeeded, failed = (sum(1 for _ in self._rows(failed=failed)) for failed in (False, True))
        if failed:
            formats.write_rows(self.failures, self._rows(failed=True), FAILURE_SCHEMA)
        else:
            self.failures.unlink(missing_ok=True)
        shutil.rmtree(self._chunk_folder)
        return JobResult(succeeded, failed)

    def _rows(self, *, failed: bool) -> Iterator[Row]:
        return (row for row in chunks.read_chunks(self._chunk_folder) if ("error" in row) == failed)

    def _joined_rows(self) -> Iterator[Row]:
        """The results with the further columns of their rows."""
        kept = enumerate(self._table.kept_rows() if self._table.kept_schema else repeat({}))
        for result in self._rows(failed=False):
            yield result | next((row for number, row in kept if number == result["row"]), {})
