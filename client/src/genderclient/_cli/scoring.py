"""A table of users scored in parts: each is written whole or not at all, so that a kill loses and doubles no row."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from tqdm import tqdm

from genderclient._cli import tables
from genderclient._cli.tables import Row, TableError
from genderclient._client import Client
from genderclient._exceptions import GenderClientError, InvalidInput
from genderclient._many import Scored, User

PART_ROWS: Final = 512
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns are called; without `id` none is copied."""

    avatar: str
    nickname: str
    id: str | None

    def names(self) -> list[str]:
        return [name for name in (self.avatar, self.nickname, self.id) if name]


@dataclass(frozen=True, slots=True)
class Found:
    """How many rows were scored, and how many could not be."""

    scored: int
    failed: int


class Job:
    """Scores `users` into `output`. Finished parts lie in `<output>.parts` until all are there.

    Raises JobError where input, output or columns cannot be, or another job's parts are in the way.
    """

    def __init__(self, users: Path, output: Path, columns: Columns, model: str, unknown_below: float) -> None:
        self.failures = output.with_name(f"{output.name}.failed.csv")
        self._users, self._output, self._columns = users, output, columns
        self._parts = output.with_name(f"{output.name}.parts")
        try:
            tables.kind_of(output)
            self._check_columns(tables.columns_of(users))
            state = users.stat()
        except OSError as exc:
            raise JobError(f"{users}: {exc.strerror or exc}") from exc
        except TableError as exc:
            raise JobError(str(exc)) from exc
        self._total = tables.count_rows(users)
        self._identity = {
            "users": str(users.resolve()),
            "bytes": state.st_size,
            "modified_ns": state.st_mtime_ns,
            "columns": asdict(columns),
            "model": model,
            "unknown_below": unknown_below,
            "part_rows": PART_ROWS,
        }

    def run(self, client: Client, *, concurrency: int, progress: bool) -> Found:
        """Score what is left, then put the parts together. Raises GenderClientError when the server goes away."""
        done = self._claim()
        try:
            self._score(client, done, concurrency, progress)
        except TableError as exc:
            raise JobError(str(exc)) from exc
        return self._finish()

    def _check_columns(self, present: list[str]) -> None:
        needed = [self._columns.id] if self._columns.id else []
        if self._columns.avatar not in present and self._columns.nickname not in present:
            needed += [self._columns.avatar, self._columns.nickname]
        if missing := [name for name in needed if name not in present]:
            raise JobError(f"{self._users}: no column {', '.join(missing)}; it has {', '.join(present) or 'none'}")

    def _claim(self) -> int:
        """How many parts are there already. Raises JobError where they are another job's."""
        about = self._parts / "job.json"
        if about.is_file() and json.loads(about.read_text(encoding="utf-8")) != self._identity:
            raise JobError(f"{self._parts} is of another input, model or choice of columns; finish that, or remove it")
        try:
            self._parts.mkdir(exist_ok=True)
            about.write_text(json.dumps(self._identity), encoding="utf-8")
        except OSError as exc:
            raise JobError(f"{self._parts}: {exc.strerror or exc}") from exc
        return len(self._finished())

    def _score(self, client: Client, done: int, concurrency: int, progress: bool) -> None:
        rows = islice(tables.read(self._users, self._columns.names()), done * PART_ROWS, None)
        start = done * PART_ROWS
        with tqdm(total=self._total, initial=start, unit=" users", disable=not progress) as bar:
            number = done
            while part := list(islice(rows, PART_ROWS)):
                users = [_user(row, self._columns, self._users.parent) for row in part]
                scored: list[Row] = []
                for result in client.predict_many(users, concurrency=concurrency):
                    scored.append(_as_row(result, part[result.index], number * PART_ROWS, self._columns))
                    bar.update()
                # Both kinds of rows in one file: it is renamed into place once, and both are there or neither is.
                self._write_part(number, scored)
                number += 1

    def _write_part(self, number: int, rows: list[Row]) -> None:
        unfinished = self._parts / f".{number:08d}"
        unfinished.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        unfinished.replace(self._parts / f"{number:08d}.jsonl")

    def _finished(self) -> list[Path]:
        return sorted(self._parts.glob("*.jsonl"))

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
        for part in self._finished():
            for line in part.read_text(encoding="utf-8").splitlines():
                row: Row = json.loads(line)
                if ("error" in row) == failed:
                    yield row


def _user(row: Row, columns: Columns, folder: Path) -> User:
    avatar: Any = row.get(columns.avatar) or None
    if isinstance(avatar, str):
        avatar = folder / avatar
    return User(avatar=avatar, nickname=row.get(columns.nickname))


def _as_row(result: Scored, source: Row, first: int, columns: Columns) -> Row:
    """What is written of a user: neither his avatar nor his nickname. Raises what is the server's fault."""
    identity = source.get(columns.id) if columns.id else None
    known: Row = {"row": first + result.index, "id": None if identity is None else str(identity)}
    if result.prediction is None:
        if isinstance(result.error, GenderClientError) and not isinstance(result.error, InvalidInput):
            raise result.error
        return known | {"error": type(result.error).__name__, "reason": str(result.error)}
    answer = result.prediction
    return known | {
        "gender": answer.gender,
        "probability": answer.probability,
        "male": answer.probabilities.male,
        "female": answer.probabilities.female,
        "weight_avatar": answer.weights.avatar,
        "weight_nickname": answer.weights.nickname,
        "model": answer.model,
        "version": answer.version,
    }
