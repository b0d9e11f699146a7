"""Parquet files as one table. Any range of rows can be read on its own."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from genderclient.tables.columns import Row

BATCH_ROWS: Final = 1024
# Without a buffer, pyarrow reads the column of a whole row group at once: all its avatars.
_BUFFER_BYTES: Final = 2**20


class TableError(ValueError):
    """A table cannot be read, scored or written. The message names the file and what was expected."""


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """Files in order. `starts` holds the index of each file's first row, followed by the number of all rows."""

    files: tuple[Path, ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, files: Iterable[Path]) -> Self:
        files = tuple(files)
        return cls(files, tuple(accumulate((open_parquet(file).metadata.num_rows for file in files), initial=0)))

    def rows(self, columns: list[str], start: int, stop: int) -> Iterator[Row]:
        """The rows from `start` up to `stop`, or up to the last row."""
        for index in range(bisect_right(self.starts, start) - 1, len(self.files)):
            first = self.starts[index]
            if first >= stop:
                return
            yield from read_parquet(self.files[index], columns, max(start - first, 0), stop - first)


def open_parquet(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, buffer_size=_BUFFER_BYTES)
    except (OSError, pa.ArrowInvalid) as exc:
        raise TableError(f"{file}: expected a Parquet file: {exc}") from exc


def read_parquet(file: Path, columns: list[str], start: int = 0, stop: int | None = None) -> Iterator[Row]:
    """The rows of one file from `start` up to `stop`. Row groups before `start` are not read."""
    parquet = open_parquet(file)
    present = [name for name in columns if name in parquet.schema_arrow.names]
    group_ends = list(accumulate(parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)))
    group = bisect_right(group_ends, start)
    group_start = group_ends[group - 1] if group else 0
    batches = parquet.iter_batches(BATCH_ROWS, row_groups=range(group, len(group_ends)), columns=present)
    try:
        yield from islice(_drop_rows(start - group_start, batches), None if stop is None else stop - start)
    except (OSError, pa.ArrowInvalid) as exc:
        raise TableError(f"{file}: damaged Parquet file: {exc}") from exc


def write_parquet(file: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    remaining = iter(rows)
    with pq.ParquetWriter(file, schema) as writer:
        while batch := list(islice(remaining, BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema))


def _drop_rows(count: int, batches: Iterable[pa.RecordBatch]) -> Iterator[Row]:
    """All rows but the first `count`, which are not converted to Python objects."""
    for batch in batches:
        yield from batch.slice(min(count, batch.num_rows)).to_pylist()
        count = max(count - batch.num_rows, 0)
