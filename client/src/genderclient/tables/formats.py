"""The formats of tables, by suffix. No table is held in memory, except a JSON array."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Final

import pyarrow as pa

from genderclient.tables.columns import FAULT, Columns, Row, kept_names
from genderclient.tables.delimited import read_delimited, scan_delimited, write_delimited
from genderclient.tables.errors import TableError
from genderclient.tables.json_rows import read_json, read_jsonl, scan_json, scan_jsonl, write_json, write_jsonl
from genderclient.tables.parquet import ParquetTable, write_parquet
from genderclient.tables.scan import Scan
from genderclient.tables.text import check_encoding, open_for_writing


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How to read, scan and write a format. The second argument of `read` and `scan` is the encoding."""

    read: Callable[[Path, str | None], Iterator[Row]]
    scan: Callable[[Path, str | None], Scan]
    write: Callable[[IO[str], Iterable[Row], list[str]], None]


PARQUET: Final = ".parquet"
_FORMATS: Final = {
    ".csv": TextFormat(read_delimited, scan_delimited, partial(write_delimited, delimiter=",")),
    ".tsv": TextFormat(read_delimited, scan_delimited, partial(write_delimited, delimiter="\t")),
    ".jsonl": TextFormat(read_jsonl, scan_jsonl, write_jsonl),
    ".json": TextFormat(read_json, scan_json, write_json),
}


@dataclass(frozen=True, slots=True)
class TextTable:
    """A file in a text format, scanned: `columns` by role, `kept` columns by their names in the output."""

    files: tuple[Path]
    encoding: str | None
    columns: dict[str, str]
    kept: dict[str, str]
    count: int

    @classmethod
    def of(cls, file: Path, columns: Columns, taken: Collection[str], encoding: str | None) -> "TextTable":
        scan = _FORMATS[suffix_of(file)].scan(file, encoding)
        roles = columns.match(file, scan.columns)
        others = [name for name in scan.columns if name not in roles.values()]
        # Spreadsheets write empty columns, all without a name.
        unnamed = [""] if "" in others else []
        kept = kept_names([*filter(None, others), *unnamed], taken)
        return cls((file,), encoding, roles, kept, scan.count)

    @property
    def roles(self) -> Collection[str]:
        """The roles that a column has."""
        return self.columns

    @property
    def kept_schema(self) -> pa.Schema:
        return pa.schema(dict.fromkeys(self.kept.values(), pa.string()))

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """The columns with a role, and the fault, of the rows from `start` up to `stop`, or up to the last row."""
        columns = {**self.columns, FAULT: FAULT}
        rows = ({role: row.get(column) for role, column in columns.items()} for row in self._read())
        return islice(rows, start, stop)

    def kept_rows(self) -> Iterator[Row]:
        """The columns without a role of all rows."""
        return ({kept: row.get(name) for name, kept in self.kept.items()} for row in self._read())

    def _read(self) -> Iterator[Row]:
        (file,) = self.files
        return _FORMATS[suffix_of(file)].read(file, self.encoding)


Table = ParquetTable | TextTable


def table_files(users: Path) -> list[Path]:
    """The file itself, or all Parquet files below a folder, sorted by path, except hidden ones.

    Raises:
        TableError: there are none.
    """
    if not users.is_dir():
        return [users]
    files = [
        file
        for file in sorted(users.rglob("*.parquet"))
        if not any(part.startswith((".", "_")) for part in file.relative_to(users).parts)
    ]
    if not files:
        raise TableError(f"{users}: expected a folder with .parquet files, got none")
    return files


def open_table(files: list[Path], columns: Columns, taken: Collection[str], encoding: str | None) -> Table:
    """Check the whole table before a row of it is read. The names `taken` are those of results.

    Raises:
        OSError, TableError: the table cannot be read.
    """
    if encoding is not None:
        check_encoding(encoding)
    if suffix_of(files[0]) == PARQUET:
        return ParquetTable.of((file.resolve() for file in files), columns, taken)
    return TextTable.of(files[0], columns, taken, encoding)


def suffix_of(file: Path) -> str:
    """The suffix of a supported format, without `.gz`. Raises TableError for any other."""
    name = file.name.lower()
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix in _FORMATS or (suffix == PARQUET and name.endswith(PARQUET)):
        return suffix
    raise TableError(f"{file}: expected a file name that ends in {', '.join((*_FORMATS, PARQUET))}, or .csv.gz")


def write_rows(file: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write rows in the format of the file's suffix. The file is replaced as a whole or not at all."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    suffix = suffix_of(file)
    if suffix == PARQUET:
        write_parquet(unfinished, rows, schema)
    else:
        with open_for_writing(unfinished, compressed=file.suffix.lower() == ".gz") as lines:
            _FORMATS[suffix].write(lines, rows, schema.names)
    unfinished.replace(file)
