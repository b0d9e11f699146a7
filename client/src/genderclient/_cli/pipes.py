"""Standard input and output, as files of a job.

A job reads its input twice, and writes its output as a whole.
"""

import gzip
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

PIPE: Final = Path("-")
_GZIP: Final = b"\x1f\x8b"
# What may precede the first character of a text.
_IGNORED: Final = b"\0\xff\xfe\xef\xbb\xbf \t\r\n"


@dataclass(frozen=True, slots=True)
class JobFiles:
    """The files of a job. The two folders are None if they follow from the other two."""

    users: Path
    output: Path
    avatar_folder: Path | None = None
    chunk_folder: Path | None = None


@contextmanager
def job_files(users: Path, output: Path) -> Iterator[JobFiles]:
    """Replace `-` by files in a temporary folder, which no other user can read and which is removed at the end.

    Such a job cannot be resumed. Standard output is CSV.
    """
    if PIPE not in (users, output):
        yield JobFiles(users, output)
        return
    with TemporaryDirectory(prefix="genderclient-") as name:
        folder = Path(name)
        yield JobFiles(
            _save_stdin(folder) if users == PIPE else users,
            folder / "stdout.csv" if output == PIPE else output,
            Path() if users == PIPE else None,
            folder / "chunks",
        )


def print_file(file: Path, *, to_stderr: bool = False) -> None:
    with file.open("rb") as stream:
        shutil.copyfileobj(stream, (sys.stderr if to_stderr else sys.stdout).buffer)


def _save_stdin(folder: Path) -> Path:
    file = folder / "stdin"
    with file.open("wb") as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream)
    return file.rename(folder / f"stdin{_suffix(file)}")


def _suffix(file: Path) -> str:
    """The suffix of the format, from the first bytes."""
    with file.open("rb") as stream:
        first = stream.read(64)
    if first.startswith(b"PAR1"):
        return ".parquet"
    compression = ""
    if first.startswith(_GZIP):
        compression = ".gz"
        with gzip.open(file) as unzipped:
            first = unzipped.read(64)
    return {b"{": ".jsonl", b"[": ".json"}.get(first.lstrip(_IGNORED)[:1], ".csv") + compression
