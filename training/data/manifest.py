"""The table that training reads: CSV, JSONL or Parquet, one row a user.

Columns `nickname, avatar, gender` (empty = missing; `avatar` is a path, relative to the manifest) and
optionally `split` (train, validation, test), `weight` and `source`.
"""

import hashlib
import math
from pathlib import Path
from typing import Final

import pandas as pd

from genderprep.contract import LABELS

REQUIRED: Final = ("nickname", "avatar", "gender")
SPLITS: Final = ("train", "validation", "test")


class ManifestError(ValueError):
    """The manifest cannot be used; the message names file, column and offending value."""


def read_manifest(file: Path) -> pd.DataFrame:
    """Read and check a manifest; absent optional columns get their defaults and avatars full paths.

    Raises:
        ManifestError: unknown file type, damaged file, missing column, unknown gender or split, bad weight.
        FileNotFoundError: no such manifest.
    """
    table = _read(file)
    missing = [column for column in REQUIRED if column not in table]
    if missing:
        raise ManifestError(f"{file}: no column {', '.join(missing)}; needed are {', '.join(REQUIRED)}")
    table = table.assign(nickname=table["nickname"].fillna(""), avatar=table["avatar"].fillna(""))
    if "split" not in table:
        keys = table["avatar"].where(table["avatar"] != "", table["nickname"])
        table["split"] = [split_of(key) for key in keys]
    table["avatar"] = [str(file.parent / avatar) if avatar else "" for avatar in table["avatar"]]
    table["weight"] = _weights(file, table["weight"]) if "weight" in table else 1.0
    table["source"] = table["source"].fillna("") if "source" in table else ""
    _check_values(file, table, "gender", LABELS)
    _check_values(file, table, "split", SPLITS)
    return table


def write_manifest(rows: list[dict[str, object]], file: Path) -> Path:
    """Write rows as CSV with the columns of this module; returns the file."""
    pd.DataFrame(rows).to_csv(file, index=False)
    return file


def split_of(identity: str) -> str:
    """80 % train, 10 % validation, 10 % test, by a hash of who or what is shown, so that nobody is in two."""
    bucket = int(hashlib.sha256(identity.encode()).hexdigest()[:8], 16) % 10
    return {8: "validation", 9: "test"}.get(bucket, "train")


def _read(file: Path) -> pd.DataFrame:
    text = dict.fromkeys(REQUIRED, str)
    try:
        match file.suffix:
            case ".csv":
                return pd.read_csv(file, dtype=text, keep_default_na=False)
            case ".jsonl":
                return pd.read_json(file, lines=True, dtype=text)
            case ".parquet":
                return pd.read_parquet(file)
    except ValueError as exc:
        # Pandas and PyArrow derive theirs from it: an empty file, a quote that never ends, another format.
        raise ManifestError(f"{file}: cannot be read: {exc}") from exc
    raise ManifestError(f"{file}: a manifest is .csv, .jsonl or .parquet")


def _weights(file: Path, column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column[~numbers.between(0, math.inf, inclusive="left")]
    if len(wrong):
        raise ManifestError(f"{file}: row {wrong.index[0]}: weight {wrong.iloc[0]!r}, needed is a number from 0 on")
    return numbers.astype(float)


def _check_values(file: Path, table: pd.DataFrame, column: str, allowed: tuple[str, ...]) -> None:
    wrong = table.loc[~table[column].isin(allowed), column]
    if len(wrong):
        raise ManifestError(f"{file}: row {wrong.index[0]}: {column} {wrong.iloc[0]!r}, allowed: {', '.join(allowed)}")
