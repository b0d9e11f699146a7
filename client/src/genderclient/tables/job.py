"""A scoring job: every user of a table is scored once, even if the job is interrupted and run again."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from tqdm import tqdm

from genderclient._many import checked_concurrency
from genderclient.tables import chunks, formats
from genderclient.tables.columns import Columns, Row
from genderclient.tables.parquet import ParquetTable, TableError
from genderclient.tables.settings import ClientSettings
from genderclient.tables.targets import check_targets

CONNECT_TIMEOUT_S: Final = 5.0
_KEY: Final = {"row": pa.int64(), "id": pa.string()}
_NUMBERS: Final = ("probability", "male", "female", "weight_avatar", "weight_nickname")
RESULT_SCHEMA: Final = pa.schema(
    {
        **(_KEY | {"gender": pa.string()}),
        **dict.fromkeys(_NUMBERS, pa.float32()),
        **dict.fromkeys(("model", "version"), pa.string()),
    }
)
FAILURE_SCHEMA: Final = pa.schema(_KEY | {"error": pa.string(), "reason": pa.string()})


@dataclass(frozen=True, slots=True)
class ScoringResult:
    """The number of users that were scored, and of those that could not be."""

    scored: int
    failed: int


class ScoringJob:
    """Scores the users of a table into `output`, and those that cannot be scored into `failures`.

    Until all chunks are finished, they are stored in the folder `<output>.chunks`.

    Args:
        users: A CSV, JSONL or Parquet file, or a folder of Parquet files.
        output: The CSV, JSONL or Parquet file to write.
        overwrite: Whether to replace an output that exists. The input is never replaced.

    Raises:
        OSError, TableError: the input, the output or the columns cannot be used.
    """

    def __init__(
        self, users: Path, output: Path, columns: Columns, settings: ClientSettings, *, overwrite: bool = False
    ) -> None:
        self.failures = output.with_name(f"{output.name}.failed.csv")
        self._output, self._columns, self._settings = output, columns, settings
        self._avatar_folder = users if users.is_dir() else users.parent
        self._chunk_folder = output.with_name(f"{output.name}.chunks")
        formats.check_format(output)
        self._files = formats.table_files(users)
        check_targets(self._files, (output, self.failures), self._chunk_folder, overwrite=overwrite)
        for file in self._files:
            self._check_columns(file)
        is_parquet = all(formats.check_format(file) == ".parquet" for file in self._files)
        self._parquet = ParquetTable.of(file.resolve() for file in self._files) if is_parquet else None

    def run(self, *, concurrency: int, progress: bool = False) -> ScoringResult:
        """Score the chunks that are not finished, then write the output.

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
        total = self._parquet.starts[-1] if self._parquet else None
        with tqdm(total=total, initial=done, unit=" users", disable=not progress) as bar:
            scorer = chunks.ChunkScorer(self._columns, self._avatar_folder, concurrency)
            self._score(scorer, bar)
        return self._finish()

    def _check_columns(self, file: Path) -> None:
        present = formats.column_names(file)
        if missing := self._columns.missing(present):
            raise TableError(f"{file}: no column {', '.join(missing)}; it has {', '.join(present) or 'none'}")

    def _claim_chunk_folder(self) -> None:
        """Describe this job in the folder, so that chunks of another job are not mixed with its own."""
        stats = [(file, file.stat()) for file in self._files]
        job = {
            "files": [[str(file.resolve()), stat.st_size, stat.st_mtime_ns] for file, stat in stats],
            "columns": asdict(self._columns),
            "model": self._settings.model,
            "unknown_below": self._settings.unknown_below,
            "chunk_rows": chunks.CHUNK_ROWS,
        }
        description = self._chunk_folder / "job.json"
        if description.is_file() and json.loads(description.read_text(encoding="utf-8")) != job:
            raise TableError(
                f"{self._chunk_folder} belongs to a job with another input, model or choice of columns; "
                "finish that job, or remove the folder"
            )
        self._chunk_folder.mkdir(exist_ok=True)
        description.write_text(json.dumps(job), encoding="utf-8")

    def _score(self, scorer: chunks.ChunkScorer, bar: "tqdm[Any]") -> None:
        """Write the chunks that are not finished, and advance `bar`."""
        finished = chunks.finished_chunks(self._chunk_folder)
        rows = chain.from_iterable(formats.read_rows(file, self._columns.names()) for file in self._files)
        with self._settings.client() as client:
            # A wrong address fails now. An outage later is waited out.
            client.wait_until_ready(CONNECT_TIMEOUT_S)
            for number in count():
                chunk = list(islice(rows, chunks.CHUNK_ROWS))
                if not chunk:
                    break
                if number not in finished:
                    results = scorer.score(client, chunk, number * chunks.CHUNK_ROWS, advance=bar.update)
                    chunks.write_chunk(self._chunk_folder, number, results)

    def _finish(self) -> ScoringResult:
        formats.write_rows(self._output, self._rows(failed=False), RESULT_SCHEMA)
        scored, failed = (sum(1 for _ in self._rows(failed=failed)) for failed in (False, True))
        if failed:
            formats.write_rows(self.failures, self._rows(failed=True), FAILURE_SCHEMA)
        else:
            self.failures.unlink(missing_ok=True)
        shutil.rmtree(self._chunk_folder)
        return ScoringResult(scored, failed)

    def _rows(self, *, failed: bool) -> Iterator[Row]:
        return (row for row in chunks.read_chunks(self._chunk_folder) if ("error" in row) == failed)
