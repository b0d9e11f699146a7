"""The table that training reads, one row a user: CSV, JSONL, Parquet, or a folder of Parquet shards.

Columns `nickname, avatar, gender` (empty or null = missing; `avatar` is a path, relative to the manifest, or in
Parquet the bytes of the picture) and optionally `split` (train, validation, test), `weight` and `source`.
"""

import hashlib
import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset as ds
from numpy.typing import NDArray

from genderprep.tensors import LABELS

from .bad_rows import BadRows
from .bad_rows import ManifestError as ManifestError

REQUIRED: Final = ("nickname", "avatar", "gender")
SPLITS: Final = ("train", "validation", "test")
# The share of rows that may be unusable where nothing else is said.
MAX_BAD_ROWS: Final = 0.01
# Rows that are read at once: some 40 MB of pictures.
CHUNK: Final = 4096
_TEXT: Final = ("nickname", "avatar", "gender", "split", "source")
_BYTES: Final = pd.ArrowDtype(pa.binary())


@dataclass(frozen=True)
class Survey:
    """What all usable rows say together: how many each split has, and the weighted share of women in `train`."""

    rows: dict[str, int]
    prior_female: float


@dataclass(frozen=True)
class _Piece:
    """What is read in one go: a row group of Parquet, else a whole file; `first` is the number of its first row."""

    fragment: ds.Fragment
    file: str
    first: int
    rows: int


class Manifest:
    """An opened manifest, read in pieces: it holds no rows."""

    def __init__(self, file: Path, max_bad_rows: float = MAX_BAD_ROWS) -> None:
        """Open `file` and check its columns; `max_bad_rows` is the share of rows that may be unusable.

        Raises:
            ManifestError: unknown file type, damaged file, missing column.
            FileNotFoundError: no such manifest.
        """
        self.file = file
        self._dataset = _open(file)
        self.columns: tuple[str, ...] = tuple(self._dataset.schema.names)
        if missing := [column for column in REQUIRED if column not in self.columns]:
            raise ManifestError(f"{file}: no column {', '.join(missing)}; needed are {', '.join(REQUIRED)}")
        self._pieces = list(_readable(file, _pieces(self._dataset)))
        self.bad = BadRows(file, sum(piece.rows for piece in self._pieces), max_bad_rows, self._name_of)

    def tables(
        self, split: str | None = None, columns: Collection[str] | None = None, dice: np.random.Generator | None = None
    ) -> Iterator[pd.DataFrame]:
        """The usable rows of a split, or of all, some thousands at a time, indexed by their number in the manifest.

        Of the `columns` (default: all) the optional ones have defaults; gender, split and weight are always
        there. Avatars are full paths or bytes. `dice` shuffles the order of row groups and files.

        Raises:
            ManifestError: damaged file, or more bad rows (unknown gender or split, bad weight) than may be.
        """
        order: Iterable[int] = dice.permutation(len(self._pieces)) if dice else range(len(self._pieces))
        for piece in (self._pieces[index] for index in order):
            if split and _is_all_of_another_split(piece, split):
                continue
            first = piece.first
            for batch in _readable(self.file, self._batches(piece, columns)):
                rows = pd.RangeIndex(first, first := first + len(batch))
                table = self._checked(batch, rows)
                yield table[table["split"] == split] if split else table

    def take(self, rows: Collection[int]) -> pd.DataFrame:
        """The usable ones of these rows, by number; reads no farther than the last of them."""
        found, last = [], max(rows, default=-1)
        for table in self.tables():
            found.append(table[table.index.isin(rows)])
            if len(table) and table.index[-1] >= last:
                break
        return pd.concat(found)

    @cached_property
    def survey(self) -> Survey:
        """Read once through everything but nicknames and avatars, unless these decide the split.

        Raises:
            ManifestError: as `tables`, or no row of `train` has a weight.
        """
        rows, weight, female = dict.fromkeys(SPLITS, 0), 0.0, 0.0
        for table in self.tables(columns=()):
            for split, count in table["split"].value_counts().items():
                rows[str(split)] += int(count)
            train = table[table["split"] == "train"]
            weight += float(train["weight"].sum())
            female += float(train.loc[train["gender"] == "female", "weight"].sum())
        if rows["train"] and not weight:
            raise ManifestError(f"{self.file}: no rows with a weight in the split 'train'")
        return Survey(rows, female / weight if weight else math.nan)

    def need(self, *splits: str) -> None:
        """Be sure that there are rows in each of `splits`.

        Raises:
            ManifestError: there are none.
        """
        if empty := [repr(split) for split in splits if not self.survey.rows[split]]:
            raise ManifestError(f"{self.file}: no rows in the split {', '.join(empty)}")

    def _batches(self, piece: _Piece, columns: Collection[str] | None) -> Iterator[pa.RecordBatch]:
        batches: Iterator[pa.RecordBatch] = piece.fragment.to_batches(
            schema=self._dataset.schema,
            columns=[name for name in self.columns if columns is None or name in self._needed(columns)],
            batch_size=CHUNK,
            batch_readahead=2,
        )
        return batches

    def _needed(self, columns: Collection[str]) -> set[str]:
        identity = set() if "split" in self.columns else {"nickname", "avatar"}
        return {*columns, "gender", "split", "weight", *identity}

    def _checked(self, batch: pa.RecordBatch, rows: pd.RangeIndex) -> pd.DataFrame:
        table: pd.DataFrame = batch.to_pandas(types_mapper={pa.binary(): _BYTES}.get).set_index(rows)
        for column in {"nickname", "avatar", "source"} & {*table}:
            table[column] = table[column].fillna(b"" if table[column].dtype == _BYTES else "")
        if "split" not in table:
            shown = zip(table["avatar"], table["nickname"], strict=True)
            table["split"] = [split_of(avatar or nickname) for avatar, nickname in shown]
        if "avatar" in table and table["avatar"].dtype != _BYTES:
            folder = self.file if self.file.is_dir() else self.file.parent
            table["avatar"] = [str(folder / avatar) if avatar else "" for avatar in table["avatar"]]
        given = table.get("weight", pd.Series(1.0, rows))
        table = table.assign(weight=pd.to_numeric(given, errors="coerce").astype(float), source=table.get("source", ""))
        return table.loc[self._usable(table, given)]

    def _usable(self, table: pd.DataFrame, given: pd.Series) -> NDArray[np.bool_]:
        gender, split, weight = table["gender"], table["split"], table["weight"]
        number = weight.between(0, math.inf, inclusive="left")
        usable = np.ones(len(table), np.bool_)
        for reason, values, right, expected in (
            ("unknown gender", gender, gender.isin(LABELS), f"allowed: {', '.join(LABELS)}"),
            ("unknown split", split, split.isin(SPLITS), f"allowed: {', '.join(SPLITS)}"),
            ("bad weight", given, number, "needed is a number from 0 on"),
        ):
            for row in table.index[usable & ~right.to_numpy(bool)]:
                self.bad.add(int(row), reason, f"{reason.split()[1]} {values[row]!r}, {expected}")
            usable &= right.to_numpy(bool)
        return usable

    def _name_of(self, row: int) -> str:
        if len({piece.file for piece in self._pieces}) == 1:
            return str(row)
        file = next(piece.file for piece in reversed(self._pieces) if piece.first <= row)
        return f"{row - next(piece.first for piece in self._pieces if piece.file == file)} of {file}"


def read_manifest(file: Path) -> pd.DataFrame:
    """All rows at once, indexed by their number, for what is small; not one may be unusable.

    Raises:
        ManifestError: as `Manifest` and its `tables`.
        FileNotFoundError: no such manifest.
    """
    return pd.concat(Manifest(file, max_bad_rows=0).tables())


def write_manifest(rows: list[dict[str, object]], file: Path) -> Path:
    """Write rows as CSV with the columns of this module; returns the file."""
    pd.DataFrame(rows).to_csv(file, index=False)
    return file


def split_of(identity: str | bytes) -> str:
    """80 % train, 10 % validation, 10 % test, by a hash of who or what is shown, so that nobody is in two."""
    key = identity if isinstance(identity, bytes) else identity.encode()
    bucket = int(hashlib.sha256(key).hexdigest()[:8], 16) % 10
    return {8: "validation", 9: "test"}.get(bucket, "train")


def _open(file: Path) -> ds.Dataset:
    formats = {
        ".csv": ds.CsvFileFormat(pyarrow.csv.ParseOptions(newlines_in_values=True)),
        ".jsonl": ds.JsonFileFormat(),
        ".parquet": ds.ParquetFileFormat(),
    }
    files = sorted(file.glob("**/*.parquet")) if file.is_dir() else [file]
    if not files or files[0].suffix not in formats:
        raise ManifestError(f"{file}: a manifest is .csv, .jsonl, .parquet or a folder of .parquet files")
    if not file.exists():
        raise FileNotFoundError(f"no manifest {file}; `python -m training.synthetic.synthesize` makes one to try")
    shape = formats[files[0].suffix]
    try:
        found = ds.dataset(files, format=shape)
        return ds.dataset(files, schema=_schema(found.schema, files[0].suffix), format=shape)
    except pa.ArrowInvalid as exc:
        raise ManifestError(f"{file}: cannot be read: {exc}") from exc


def _schema(found: pa.Schema, suffix: str) -> pa.Schema:
    """The types to read as. Those of CSV and JSONL are guesses from the beginning of the file."""

    def wanted(field: pa.Field) -> pa.DataType:
        guessed = suffix != ".parquet"
        if field.name == "avatar" and (pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)):
            return pa.binary()
        if field.name in _TEXT or (guessed and pa.types.is_null(field.type)):
            return pa.string()
        if field.name == "weight" and suffix == ".csv":
            return pa.string()  # A word among the numbers is a bad row, not a damaged file.
        return pa.float64() if guessed and pa.types.is_integer(field.type) else field.type

    return pa.schema([field.with_type(wanted(field)).with_nullable(True) for field in found])


def _pieces(dataset: ds.Dataset) -> Iterator[_Piece]:
    first = 0
    for file in dataset.get_fragments():
        parts = file.split_by_row_group() if isinstance(file, ds.ParquetFileFragment) else [file]
        for part in parts:
            rows = part.row_groups[0].num_rows if isinstance(part, ds.ParquetFileFragment) else part.count_rows()
            yield _Piece(part, Path(file.path).name, first, rows)
            first += rows


def _is_all_of_another_split(piece: _Piece, split: str) -> bool:
    """Whether the statistics of a row group say that there is nothing to find in it."""
    groups = piece.fragment.row_groups if isinstance(piece.fragment, ds.ParquetFileFragment) else ()
    bounds = [(group.statistics or {}).get("split", {}) for group in groups]
    return any(bound.get("min") == bound.get("max") in {*SPLITS} - {split} for bound in bounds)


def _readable(file: Path, items: Iterable[Any]) -> Iterator[Any]:
    """The items; what Arrow finds wrong on the way is the manifest's fault."""
    try:
        yield from items
    except (pa.ArrowException, OSError) as exc:
        raise ManifestError(f"{file}: cannot be read: {exc}") from exc
