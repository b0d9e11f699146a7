"""The lines of a text file in any encoding, compressed or not. An error names the line and never its content."""

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from genderclient.tables.errors import TableError

# Stands for what cannot be decoded: no encoding yields a lone surrogate.
_UNDECODABLE: Final = "\udcff"
_MARK: Final = "genderclient.mark"
_BYTE_ORDER_MARK: Final = "\ufeff"

codecs.register_error(_MARK, lambda exc: (_UNDECODABLE, exc.end))  # type: ignore[attr-defined]


def check_encoding(encoding: str) -> None:
    try:
        "".encode(encoding)
    except LookupError as exc:
        raise TableError(f"encoding: {exc}; expected for example utf-8, utf-16 or gb18030") from exc


def read_lines(file: Path, encoding: str | None) -> Iterator[str]:
    """The lines with their ends.

    Args:
        encoding: By default UTF-8, or UTF-16 or UTF-32 if the first bytes show it.

    Raises:
        TableError: a line is not in this encoding, or the compression is damaged.
    """
    encoding = encoding or _detect_encoding(file)
    number = 0
    try:
        with io.TextIOWrapper(_open_binary(file), encoding, _MARK, newline="") as lines:
            for number, line in enumerate(lines, 1):
                if _UNDECODABLE in line:
                    raise TableError(
                        f"{file}, line {number}: not {encoding}; name the encoding with --encoding, "
                        "for example gb18030 for Chinese Excel files"
                    )
                yield line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise _damaged(f"{file}, line {number + 1}") from None
    except UnicodeError as exc:
        raise TableError(f"{file}, line {number + 1}: not {encoding}") from exc


def open_for_writing(file: Path, *, compressed: bool) -> IO[str]:
    """A file in UTF-8. Half a character, which JSON can hold, becomes a question mark."""
    if compressed:
        return gzip.open(file, "wt", encoding="utf-8", errors="replace", newline="")
    return file.open("w", encoding="utf-8", errors="replace", newline="")


def _open_binary(file: Path) -> io.BufferedReader:
    raw = gzip.GzipFile(file) if file.suffix.lower() == ".gz" else file.open("rb")
    return io.BufferedReader(raw)


def _detect_encoding(file: Path) -> str:
    try:
        with _open_binary(file) as stream:
            return json.detect_encoding(stream.read(4))
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise _damaged(str(file)) from None


def _damaged(place: str) -> TableError:
    # The original message has the first bytes of a file that is not compressed.
    return TableError(f"{place}: damaged gzip file; compress it again, or rename it if it is not compressed")
