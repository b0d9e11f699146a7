"""A table of users scored in parts: each is written whole or not at all, so that a kill loses and doubles no row."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from tqdm import tqdm

from genderclient._cli import parts, tables
from genderclient._cli.columns import Columns
from genderclient._cli.connection import Connection
from genderclient._cli.tables import Row, TableError
from genderclient._many import checked_concurrency

SCHEMA: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.string()),
        ("gender", pa.string()),
        *((name, pa.float32()) for name in ("probability", "male", "female", "weight_avatar", "weight_nickname")),
        ("model", pa.string()),
        ("version", pa.string()),
    ]
)
FAILURES: Final = pa.schema([("row", pa.int64()), ("id", pa.string()), ("error", pa.string()), ("reason", pa.string())])


class JobError(ValueError):
    """The job cannot be done as it was asked for; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """How many rows were scored, and how many could not be."""

    scored: int
    failed: int


class Job:
    """Scores `users` into `output`. Finished parts lie in `<output>.parts` until all are there.

    Raises JobError where input, output or columns cannot be, or another job's parts are in the way.
    """

    def __init__(self, users: Path, output: Path, columns: Columns, connection: Connection) -> None:
        self.failures = output.with_name(f"{output.name}.failed.csv")
        self._output, self._columns, self._connection = output, columns, connection
        self._pictures = users if users.is_dir() else users.parent
        self._parts = output.with_name(f"{output.name}.parts")
        try:
            tables.kind_of(output)
            self._files = tables.files_of(users)
            for file in self._files:
                self._check_columns(file)
            self._identity = self._told()
        except OSError as exc:
            raise JobError(f"{exc.filename or users}: {exc.strerror or exc}") from exc
        except TableError as exc:
            raise JobError(str(exc)) from exc
        self._total = tables.count_rows(self._files)

    def run(self, *, concurrency: int, progress: bool) -> Found:
        """Score what is left, then put the parts together. Raises GenderClientError when the server goes away."""
        checked_concurrency(concurrency)
        self._claim()
        done = len(parts.finished(self._parts)) * parts.ROWS
        try:
            with tqdm(total=self._total, initial=done, unit=" users", disable=not progress) as bar:
                self._score(concurrency, bar)
        except TableError as exc:
            raise JobError(str(exc)) from exc
        return self._finish()

    def _check_columns(self, file: Path) -> None:
        present = tables.columns_of(file)
        if missing := self._columns.missing(present):
            raise JobError(f"{file}: no column {', '.join(missing)}; it has {', '.join(present) or 'none'}")

    def _told(self) -> dict[str, Any]:
        """What a job is known by: another one's parts are not mixed with its own."""
        states = [(file, file.stat()) for file in self._files]
        return {
            "files": [[str(file.resolve()), state.st_size, state.st_mtime_ns] for file, state in states],
            "columns": asdict(self._columns),
            "model": self._connection.model,
            "unknown_below": self._connection.unknown_below,
            "part_rows": parts.ROWS,
        }

    def _claim(self) -> None:
        """Make the folder of the parts this job's. Raises JobError where it is another's."""
        about = self._parts / "job.json"
        if about.is_file() and json.loads(about.read_text(encoding="utf-8")) != self._identity:
            raise JobError(f"{self._parts} is of another input, model or choice of columns; finish that, or remove it")
        try:
            self._parts.mkdir(exist_ok=True)
            about.write_text(json.dumps(self._identity), encoding="utf-8")
        except OSError as exc:
            raise JobError(f"{self._parts}: {exc.strerror or exc}") from exc

    def _score(self, concurrency: int, bar: "tqdm[Any]") -> None:
        """Write the parts that are not there yet, and tell `bar` of each user."""
        done = parts.finished(self._parts)
        rows = chain.from_iterable(tables.read(file, self._columns.names()) for file in self._files)
        scorer = parts.Scorer(columns=self._columns, pictures=self._pictures, concurrency=concurrency)
        with self._connection.open() as client:
            for number in count():
                part = list(islice(rows, parts.ROWS))
                if not part:
                    break
                if number not in done:
                    scored = scorer.score(client, part, number * parts.ROWS, tick=bar.update)
                    parts.write(self._parts, number, scored)

    def _finish(self) -> Found:
        tables.write(self._output, self._rows(failed=False), SCHEMA)
        failed = sum(1 for _ in self._rows(failed=True))
        if failed:
            tables.write(self.failures, self._rows(failed=True), FAILURES)
        else:
            self.failures.unlink(missing_ok=True)
        scored = sum(1 for _ in self._rows(failed=False))
        shutil.rmtree(self._parts)
        return Found(scored, failed)

    def _rows(self, *, failed: bool) -> Iterator[Row]:
        return (row for row in parts.read(self._parts) if ("error" in row) == failed)
