"""CSV, JSONL and Parquet files as rows. No table is held in memory.

The standard library reads CSV and JSONL. pyarrow's CSV reader stops at a row with a missing or an extra field and puts
the row, a nickname included, into its error; if told to skip such rows, it shifts the numbers of those that follow. Its
JSON reader numbers rows within a block, so an error cannot name the line, and it rejects columns of mixed types.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa

from genderclient.tables.columns import Row
from genderclient.tables.parquet import TableError, open_parquet, read_parquet, write_parquet


def check_format(file: Path) -> str:
    """Returns the suffix of a supported format. Raises TableError for any other."""
    suffix = file.suffix.lower()
    if suffix not in _READERS:
        raise TableError(f"{file}: expected a file name that ends in {', '.join(_READERS)}")
    return suffix


def table_files(table: Path) -> list[Path]:
    """The file itself, or all Parquet files below a folder, sorted by path. Raises TableError if there are none."""
    if not table.is_dir():
        return [table]
    files = sorted(file for file in table.rglob("*.parquet") if not file.name.startswith((".", "_")))
    if not files:
        raise TableError(f"{table}: expected a folder with .parquet files, got none")
    return files


def read_rows(file: Path, columns: list[str]) -> Iterator[Row]:
    """The rows of a file, with the columns among `columns` that it has. Raises TableError for an invalid row."""
    return _READERS[check_format(file)](file, columns)


def column_names(file: Path) -> list[str]:
    """The names of a file's columns; for JSONL, the keys of the first row."""
    suffix = check_format(file)
    if suffix == ".parquet":
        return list(open_parquet(file).schema_arrow.names)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return next(csv.reader(lines), []) if suffix == ".csv" else list(_parse_object(file, 1, next(lines, "{}")))


def write_rows(file: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write rows in the format of the file's suffix. The file is replaced as a whole or not at all."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    _WRITERS[check_format(file)](unfinished, rows, schema)
    unfinished.replace(file)


def _read_csv(file: Path, columns: list[str]) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            yield {name: row[name] for name in columns if name in row}


def _read_jsonl(file: Path, columns: list[str]) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                row = _parse_object(file, number, line)
                yield {name: row[name] for name in columns if name in row}


def _parse_object(file: Path, number: int, line: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as exc:
        raise TableError(f"{file}, line {number}: invalid JSON: {exc}") from exc
    if not isinstance(row, dict):
        raise TableError(f'{file}, line {number}: expected an object like {{"nickname": "…"}}')
    return row


def _write_csv(file: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, schema.names)
        writer.writeheader()
        writer.writerows(rows)


def _write_jsonl(file: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


_Reader = Callable[[Path, list[str]], Iterator[Row]]
_READERS: Final[dict[str, _Reader]] = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": read_parquet}
_WRITERS: Final = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": write_parquet}
