"""Parquet files as one table. Any range of rows can be read on its own."""

import json
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from genderclient._compat import Self
from genderclient.tables.columns import Columns, Row, check_same_roles, kept_names
from genderclient.tables.errors import TableError

BATCH_ROWS: Final = 1024
# Without a buffer, pyarrow reads the column of a whole row group at once: all its avatars.
_BUFFER_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """Files in order.

    `starts` holds the index of each file's first row, followed by the number of all rows; `columns` the columns of each
    file by role; `kept_schema` the columns without a role under their names in the output, of which `taken` are taken.
    """

    files: tuple[Path, ...]
    starts: tuple[int, ...]
    columns: tuple[dict[str, str], ...]
    kept_schema: pa.Schema
    taken: tuple[str, ...] = ()

    @classmethod
    def of(cls, files: Iterable[Path], columns: Columns, taken: Iterable[str] = ()) -> Self:
        """Check the columns of all files. Raises TableError if they do not match."""
        files, taken = tuple(files), tuple(taken)
        parquets = [open_parquet(file) for file in files]
        schemas = [parquet.schema_arrow for parquet in parquets]
        matches = tuple(columns.match(file, schema.names) for file, schema in zip(files, schemas, strict=True))
        check_same_roles(files, matches)
        starts = tuple(accumulate((parquet.metadata.num_rows for parquet in parquets), initial=0))
        return cls(files, starts, matches, _kept_schema(files[0], schemas, matches, taken), taken)

    @property
    def roles(self) -> Collection[str]:
        """The roles that a column has."""
        return self.columns[0]

    @property
    def count(self) -> int:
        return self.starts[-1]

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """The columns with a role of the rows from `start` up to `stop`, or up to the last row."""
        stop = self.count if stop is None else stop
        for index in range(bisect_right(self.starts, start) - 1, len(self.files)):
            first = self.starts[index]
            if first >= stop:
                return
            roles = self.columns[index]
            for row in read_parquet(self.files[index], [*roles.values()], max(start - first, 0), stop - first):
                yield {role: row[column] for role, column in roles.items()}

    def kept_rows(self) -> Iterator[Row]:
        """The columns without a role of all rows; None if a file lacks one."""
        missing = dict.fromkeys(self.kept_schema.names)
        for file, roles in zip(self.files, self.columns, strict=True):
            fields = _kept_fields(open_parquet(file).schema_arrow, roles)
            names = kept_names((field.name for field in fields), self.taken)
            for row in read_parquet(file, [*names]):
                yield missing | {names[name]: row[name] for name in names}


def open_parquet(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, buffer_size=_BUFFER_BYTES)
    except (OSError, pa.ArrowInvalid) as exc:
        raise TableError(f"{file}: expected a Parquet file: {exc}") from exc


def read_parquet(file: Path, columns: list[str], start: int = 0, stop: int | None = None) -> Iterator[Row]:
    """The rows of one file from `start` up to `stop`. Row groups before `start` are not read."""
    parquet = open_parquet(file)
    group_ends = list(accumulate(parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)))
    group = bisect_right(group_ends, start)
    group_start = group_ends[group - 1] if group else 0
    batches = parquet.iter_batches(BATCH_ROWS, row_groups=range(group, len(group_ends)), columns=columns)
    try:
        yield from islice(_drop_rows(start - group_start, batches), None if stop is None else stop - start)
    except (OSError, pa.ArrowInvalid) as exc:
        raise TableError(f"{file}: damaged Parquet file: {exc}") from exc


def write_parquet(file: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    remaining = iter(rows)
    with pq.ParquetWriter(file, schema) as writer:
        while batch := [_with_text(row, schema) for row in islice(remaining, BATCH_ROWS)]:
            writer.write_table(pa.Table.from_pylist(batch, schema))


def _kept_schema(
    file: Path, schemas: list[pa.Schema], matches: tuple[dict[str, str], ...], taken: tuple[str, ...]
) -> pa.Schema:
    """The columns without a role, except bytes, which CSV and JSON cannot hold."""
    kept = []
    for schema, roles in zip(schemas, matches, strict=True):
        fields = _kept_fields(schema, roles)
        names = kept_names((field.name for field in fields), taken)
        kept.append(pa.schema([field.with_name(names[field.name]).remove_metadata() for field in fields]))
    try:
        return pa.unify_schemas(kept, promote_options="permissive")
    except pa.ArrowException:
        # Its message names the column.
        message = "the files have columns of one name with different types; give each the same type in all files"
        raise TableError(f"{file.parent}: {message}") from None


def _kept_fields(schema: pa.Schema, roles: dict[str, str]) -> list[pa.Field]:
    return [field for field in schema if field.name not in roles.values() and not _has_bytes(field.type)]


def _has_bytes(data_type: pa.DataType) -> bool:
    is_bytes = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(check(data_type) for check in is_bytes) or any(
        _has_bytes(data_type.field(index).type) for index in range(data_type.num_fields)
    )


def _with_text(row: Row, schema: pa.Schema) -> Row:
    """The row with JSON in columns of text for values that are not text."""
    return {name: _as_text(value) if schema.field(name).type == pa.string() else value for name, value in row.items()}


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.encode(errors="replace").decode()  # JSON can hold half a character


def _drop_rows(count: int, batches: Iterable[pa.RecordBatch]) -> Iterator[Row]:
    """All rows but the first `count`, which are not converted to Python objects."""
    for batch in batches:
        yield from _without_nanoseconds(batch.slice(min(count, batch.num_rows))).to_pylist()
        count = max(count - batch.num_rows, 0)


def _without_nanoseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with times in microseconds: Python has no nanoseconds."""
    if not batch.num_columns:
        return batch  # made of its columns, it would lose its rows
    columns = [
        column.cast(pa.timestamp("us", column.type.tz), safe=False)
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns"
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)
