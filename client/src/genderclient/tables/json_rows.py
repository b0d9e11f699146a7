"""JSON Lines, and JSON arrays of objects.

The standard library reads them. pyarrow's JSON reader numbers rows within a block, so an error cannot name the line,
and it rejects columns of mixed types.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any

from genderclient.tables.columns import Row
from genderclient.tables.errors import TableError
from genderclient.tables.scan import Scan
from genderclient.tables.text import read_lines


def read_jsonl(file: Path, encoding: str | None) -> Iterator[Row]:
    return _parse_lines(file, enumerate(read_lines(file, encoding), 1))


def read_json(file: Path, encoding: str | None) -> Iterator[Row]:
    """The objects of an array, which is held in memory, or of JSON Lines: many tools name them `.json`."""
    lines = enumerate(read_lines(file, encoding), 1)
    number, first = next((each for each in lines if each[1].strip()), (1, ""))
    if not first.lstrip().startswith("["):
        yield from _parse_lines(file, chain([(number, first)], lines))
        return
    text = first + "".join(line for _, line in lines)
    for index, row in enumerate(_parse(file, text, number)):
        yield _checked_object(f"{file}, row {index}", row)


def scan_jsonl(file: Path, encoding: str | None) -> Scan:
    return Scan.of(read_jsonl(file, encoding))


def scan_json(file: Path, encoding: str | None) -> Scan:
    return Scan.of(read_json(file, encoding))


def write_jsonl(lines: IO[str], rows: Iterable[Row], names: list[str]) -> None:
    lines.writelines(_dump(row) + "\n" for row in rows)


def write_json(lines: IO[str], rows: Iterable[Row], names: list[str]) -> None:
    separator = "[\n"
    for row in rows:
        lines.write(separator + _dump(row))
        separator = ",\n"
    lines.write("[]\n" if separator == "[\n" else "\n]\n")


def _parse_lines(file: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Row]:
    for number, line in lines:
        if text := line.strip():
            yield _checked_object(f"{file}, line {number}", _parse(file, text, number))


def _parse(file: Path, text: str, number: int) -> Any:
    """Parse text that starts on the line `number`."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:
        raise TableError(f"{file}, line {number + exc.lineno - 1}: invalid JSON: {exc.msg}") from exc
    except (ValueError, RecursionError) as exc:
        raise TableError(f"{file}, line {number}: invalid JSON: {exc}") from exc


def _checked_object(place: str, value: Any) -> Row:
    if not isinstance(value, dict):
        raise TableError(f'{place}: expected an object like {{"nickname": "…"}}')
    return value


def _dump(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False, default=str)
