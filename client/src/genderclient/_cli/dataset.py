"""Parquet files as one table, of which any stretch of rows can be read on its own."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Self

from genderclient._cli import tables
from genderclient._cli.tables import Row


@dataclass(frozen=True, slots=True)
class Dataset:
    """Files, and the numbers of the row that each begins with; behind them, how many rows there are."""

    files: tuple[Path, ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, files: Iterable[Path]) -> Self:
        """Parquet files one after the other. Raises TableError for what is none."""
        found = tuple(files)
        return cls(found, tuple(accumulate(map(tables.count_parquet, found), initial=0)))

    def rows(self, columns: list[str], start: int, stop: int) -> Iterator[Row]:
        """The rows numbered `start` up to `stop`, as far as there are any. Raises TableError."""
        for index in range(bisect_right(self.starts, start) - 1, len(self.files)):
            first = self.starts[index]
            if first >= stop:
                return
            yield from tables.read_parquet(self.files[index], columns, max(start - first, 0), stop - first)
