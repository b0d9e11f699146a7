"""The sessions on which a new ranker is compared with the served one; a run keeps them."""

from dataclasses import fields
from pathlib import Path
from typing import Final

import numpy as np

from ..arrays import FloatsND
from ..data.tables import read_arrays
from .examples import Examples

FILE: Final = "held_out.npz"
# More would take publishing minutes, and the file megabytes.
_SESSIONS: Final = 2000


def write_held_out(run: Path, examples: Examples, table: FloatsND) -> None:
    """Write the first sessions, and the table of picture vectors [P + 1, D] of which they hold rows."""
    np.savez_compressed(run / FILE, table=table, **vars(examples.rows(np.arange(min(_SESSIONS, len(examples))))))


def read_held_out(run: Path) -> tuple[Examples, FloatsND]:
    """Return the sessions of a run, and its table of picture vectors.

    Raises:
        FileNotFoundError: The run has no such file.
        ManifestError: The file is damaged, or of an earlier form.
    """
    if not (file := run / FILE).is_file():
        raise FileNotFoundError(f"{file} does not exist: train the ranker again, or copy the whole run")
    names = [field.name for field in fields(Examples)]
    table, *columns = read_arrays(file, "table", *names).values()
    return Examples(**dict(zip(names, columns, strict=True))), table
