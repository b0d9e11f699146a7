"""CSV and its relatives: fields separated by commas, semicolons, tabs or bars, below a header.

The standard library reads them. pyarrow's CSV reader stops at a row with a missing or an extra field and puts the row,
a nickname included, into its error; if told to skip such rows, it shifts the numbers of those that follow.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

from genderclient import InvalidInput
from genderclient.tables.columns import FAULT, Row
from genderclient.tables.errors import TableError
from genderclient.tables.scan import Scan
from genderclient.tables.text import read_lines

_DELIMITERS: Final = ",;\t|"
_MAX_FIELD_CHARACTERS: Final = 2**31 - 1
# A field with more lines is not a nickname.
_MAX_ROW_LINES: Final = 100
_END: Final = "\x1e"


def read_delimited(file: Path, encoding: str | None) -> Iterator[Row]:
    """The rows by column. Missing fields are None; a row with surplus fields has a `FAULT`."""
    lines, delimiter = _open(file, encoding)
    reader = csv.DictReader(lines, delimiter=delimiter, restkey=FAULT)
    for row in reader:
        # Even if these are empty, as those before them may have moved.
        if surplus := row.pop(FAULT, []):
            row[FAULT] = _surplus_fields(len(reader.fieldnames or ()), len(surplus), delimiter)
        yield dict(row)


def scan_delimited(file: Path, encoding: str | None) -> Scan:
    """Count the rows.

    Raises:
        TableError: a stray quote swallows the rows that follow it.
    """
    lines, delimiter = _open(file, encoding)
    record: list[str] = []
    header: list[str] | None = None
    number = count = 0

    def recorded() -> Iterator[str]:
        # An open quote at the end of the file swallows the mark.
        for line in chain(lines, [_END]):
            record.append(line)
            if len(record) > _MAX_ROW_LINES:
                raise _stray_quote(file, number + 1)
            yield line

    try:
        for row in csv.reader(recorded(), delimiter=delimiter):
            if row == [_END] and record == [_END]:
                break
            if record[-1] == _END or (len(record) > 1 and _is_swallowed(record, delimiter, len(header or row))):
                raise _stray_quote(file, number + 1)
            if header is None:
                header = row
            elif row:
                count += 1
            number += len(record)
            record.clear()
    except csv.Error as exc:
        raise TableError(f"{file}, line {number + 1}: invalid CSV: {exc}") from exc
    return Scan(tuple(header or ()), count)


def write_delimited(lines: IO[str], rows: Iterable[Row], names: list[str], delimiter: str) -> None:
    writer = csv.DictWriter(lines, names, delimiter=delimiter)
    writer.writeheader()
    writer.writerows({name: _field(value) for name, value in row.items()} for row in rows)


def _open(file: Path, encoding: str | None) -> tuple[Iterator[str], str]:
    """The lines, and the delimiter that splits the first of them into the most fields."""
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    lines = read_lines(file, encoding)
    first = next(lines, "")
    delimiter = max(_DELIMITERS, key=lambda each: len(next(csv.reader([first], delimiter=each), [])))
    return chain([first] if first else [], lines), delimiter


def _is_swallowed(record: list[str], delimiter: str, fields: int) -> bool:
    """Whether the lines of a record look like several rows and not like a field with line breaks.

    Either its quotes do not match, or each of three or more inner lines is a row by itself.
    """
    try:
        list(csv.reader(record, delimiter=delimiter, strict=True))
    except csv.Error:
        return True
    inner = record[1:-1]
    return len(inner) >= 3 and all(len(next(csv.reader([line], delimiter=delimiter), [])) == fields for line in inner)


def _surplus_fields(expected: int, surplus: int, delimiter: str) -> InvalidInput:
    return InvalidInput(
        f"row: expected {expected} fields, as in the header, got {expected + surplus}; "
        f"quote the field that contains {delimiter!r}"
    )


def _stray_quote(file: Path, number: int) -> TableError:
    return TableError(
        f"{file}, line {number}: a quote opens a field that swallows the next lines; remove the quote, or double it "
        "and quote the field"
    )


def _field(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value
