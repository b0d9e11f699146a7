"""Tables of users as rows, and rows as tables: CSV, JSONL and Parquet, never whole in memory."""

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]
KINDS: Final = (".csv", ".jsonl", ".parquet")
_BATCH: Final = 1024


class TableError(ValueError):
    """A table that cannot be read or written; the message names it, and what was expected."""


def kind_of(file: Path) -> str:
    """Which of `KINDS` a file is, by its name. Raises TableError for another."""
    if file.suffix.lower() not in KINDS:
        raise TableError(f"{file}: expected a name that ends in {', '.join(KINDS)}")
    return file.suffix.lower()


def read(file: Path, columns: Iterable[str]) -> Iterator[Row]:
    """The rows of a table, with those of `columns` that it has. Raises TableError."""
    if not file.is_file():
        raise TableError(f"{file}: no such file")
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
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


def count_rows(file: Path) -> int | None:
    """How many rows there are, None where counting would mean reading them all."""
    return int(_parquet(file).metadata.num_rows) if kind_of(file) == ".parquet" else None


def write(file: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write rows as the table that the file's name says, at once or not at all."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    writers = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
    writers[kind_of(file)](unfinished, rows, schema)
    unfinished.replace(file)


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


def _read_parquet(file: Path, columns: list[str]) -> Iterator[Row]:
    table = _parquet(file)
    present = [name for name in columns if name in table.schema_arrow.names]
    for batch in table.iter_batches(batch_size=_BATCH, columns=present):
        yield from batch.to_pylist()


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
        return pq.ParquetFile(file)
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
