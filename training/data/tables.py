"""Read whole tables and arrays. What cannot be used is named, without its content."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .arrow import translate_errors
from .bad_rows import ManifestError


def read_text_columns(file: Path, *columns: str) -> pd.DataFrame:
    """Read a CSV file with all values as text.

    Args:
        file: The file.
        columns: The columns that it must have.

    Raises:
        ManifestError: It is damaged, empty or a folder, or a column is missing.
        FileNotFoundError: It does not exist.
    """
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (IsADirectoryError, ValueError) as exc:
        raise ManifestError(f"{file}: expected a CSV file with a header, got {type(exc).__name__}") from None
    return _with_columns(file, table, columns)


def read_parquet(file: Path, *columns: str) -> pd.DataFrame:
    """Read a Parquet file that must have some columns.

    Raises:
        ManifestError: It is damaged or a folder, or a column is missing.
        FileNotFoundError: It does not exist.
    """
    if file.is_dir():
        raise ManifestError(f"{file}: expected a Parquet file, got a folder")
    if not file.exists():
        raise FileNotFoundError(f"no Parquet file {file}")
    (table,) = translate_errors(file, map(pd.read_parquet, [file]))
    return _with_columns(file, table, columns)


def read_array(file: Path) -> NDArray[Any]:
    """Read the array of an npy file.

    Raises:
        ManifestError: It is no npy file.
        FileNotFoundError: It does not exist.
    """
    with _damage_named(file, expected="an npy file with one array"):
        array = np.load(file)
    if not isinstance(array, np.ndarray):
        raise ManifestError(f"{file}: expected an npy file with one array, got an npz")
    return array


def read_arrays(file: Path, *names: str) -> dict[str, NDArray[Any]]:
    """Read some arrays of an npz file; all of them if no name is given.

    Raises:
        ManifestError: It is no npz file, or lacks an array.
        FileNotFoundError: It does not exist.
    """
    with _damage_named(file, expected="an npz file"):
        arrays = np.load(file)
    if isinstance(arrays, np.ndarray):
        raise ManifestError(f"{file}: expected an npz file, got an npy")
    with arrays:
        if missing := [name for name in names if name not in arrays]:
            raise ManifestError(f"{file}: expected the arrays {', '.join(names)}, missing {', '.join(missing)}")
        with _damage_named(file, expected="an npz file"):
            return {name: arrays[name] for name in names or arrays}


@contextmanager
def _damage_named(file: Path, expected: str) -> Iterator[None]:
    try:
        yield
    except (BadZipFile, EOFError, IsADirectoryError, ValueError, zlib.error) as exc:
        raise ManifestError(f"{file}: expected {expected}, got {type(exc).__name__}") from None


def _with_columns(file: Path, table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    if missing := [column for column in columns if column not in table]:
        raise ManifestError(f"{file}: expected the columns {', '.join(columns)}, missing {', '.join(missing)}")
    return table
