"""Tables of users as rows, and rows as tables: CSV, JSONL and Parquet, never whole in memory."""

import csv
import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]
KINDS: Final = (".csv", ".jsonl", ".parquet")
_BATCH: Final = 1024
# Without a buffer a column of a whole row group is read at once: all its avatars.
_BUFFER_BYTES: Final = 2**20


class TableError(ValueError):
    """A table that cannot be read or written; the message names it, and what was expected."""


def kind_of(file: Path) -> str:
    """Which of `KINDS` a file is, by its name. Raises TableError for another."""
    if file.suffix.lower() not in KINDS:
        raise TableError(f"{file}: expected a name that ends in {', '.join(KINDS)}")
    return file.suffix.lower()


def files_of(table: Path) -> list[Path]:
    """A table's files: it alone, or all Parquet below a folder, by their paths. Raises TableError for none."""
    if not table.is_dir():
        return [table]
    files = sorted(file for file in table.rglob("*.parquet") if not file.name.startswith((".", "_")))
    if not files:
        raise TableError(f"{table}: expected a folder of files that end in .parquet, found none")
    return files


def read(file: Path, columns: Iterable[str]) -> Iterator[Row]:
    """The rows of a table, with those of `columns` that it has. Raises TableError."""
    if not file.is_file():
        raise TableError(f"{file}: no such file")
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": read_parquet}
    yield from readers[kind_of(file)](file, list(columns))


def columns_of(file: Path) -> list[str]:
    """The names of a table's columns; of a JSONL those of its first row."""
    kind = kind_of(file)
    if kind == ".parquet":
        return list(_parquet(file).schema_arrow.names)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        if kind == ".csv":
            return next(csv.reader(lines), [])
        return list(_object(file, 1, next(lines, "{}")))


def count_rows(files: Iterable[Path]) -> int | None:
    """How many rows there are, None where counting would mean reading them all."""
    found = list(files)
    return sum(map(count_parquet, found)) if all(kind_of(file) == ".parquet" for file in found) else None


def count_parquet(file: Path) -> int:
    """How many rows a Parquet file has. Raises TableError where it is none."""
    return int(_parquet(file).metadata.num_rows)


def write(file: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write rows as the table that the file's name says, at once or not at all."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    writers = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
    writers[kind_of(file)](unfinished, rows, schema)
    unfinished.replace(file)


def read_parquet(file: Path, columns: list[str], start: int = 0, stop: int | None = None) -> Iterator[Row]:
    """The rows of a Parquet file numbered `start` up to `stop`; row groups that end before are not read."""
    table = _parquet(file)
    present = [name for name in columns if name in table.schema_arrow.names]
    ends = list(accumulate(table.metadata.row_group(index).num_rows for index in range(table.num_row_groups)))
    group = bisect_right(ends, start)
    skipped = ends[group - 1] if group else 0
    batches = table.iter_batches(batch_size=_BATCH, row_groups=range(group, len(ends)), columns=present)
    try:
        yield from islice(_behind(start - skipped, batches), None if stop is None else stop - start)
    except (OSError, pa.ArrowInvalid) as exc:
        raise TableError(f"{file}: broken Parquet: {exc}") from exc


def _behind(skip: int, batches: Iterable[pa.RecordBatch]) -> Iterator[Row]:
    """The rows of all batches but the first so many."""
    for batch in batches:
        yield from batch.slice(min(skip, batch.num_rows)).to_pylist()
        skip = max(skip - batch.num_rows, 0)


def _read_csv(file: Path, columns: list[str]) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            yield {name: row[name] for name in columns if name in row}


def _read_jsonl(file: Path, columns: list[str]) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                row = _object(file, number, line)
                yield {name: row[name] for name in columns if name in row}


def _object(file: Path, number: int, line: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as exc:
        raise TableError(f"{file}, line {number}: no JSON: {exc}") from exc
    if not isinstance(row, dict):
        raise TableError(f'{file}, line {number}: expected an object like {{"nickname": "…"}}')
    return row


def _parquet(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, buffer_size=_BUFFER_BYTES)
    except (OSError, pa.ArrowInvalid) as exc:
        raise TableError(f"{file}: no Parquet: {exc}") from exc


def _write_csv(file: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, schema.names)
        writer.writeheader()
        writer.writerows(rows)


def _write_jsonl(file: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_parquet(file: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    with ExitStack() as stack:
        writer = stack.enter_context(pq.ParquetWriter(file, schema))
        batch: list[Row] = []
        for row in rows:
            batch.append(row)
            if len(batch) == _BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema))
                batch = []
        if batch:
            writer.write_table(pa.Table.from_pylist(batch, schema))
