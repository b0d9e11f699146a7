"""The error of table scoring, and the translation of the system's errors into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genderclient import GenderClientError


class TableError(ValueError):
    """A table cannot be read, scored or written. The message names the file and what was expected."""


@contextmanager
def translated_os_errors(file: Path) -> Iterator[None]:
    """Raise a TableError for an OSError, in the name of `file` if the error has no file name."""
    try:
        yield
    except GenderClientError:
        # Some of these are OSErrors, too.
        raise
    except OSError as exc:
        raise TableError(f"{exc.filename or file}: {exc.strerror or exc}") from exc
