"""Read a manifest: one row per user, as CSV, JSONL, Parquet or a folder of Parquet shards.

Required columns are `nickname`, `avatar` and `gender`. An empty or null nickname or avatar is missing. `avatar` is a
path relative to the manifest or, in Parquet, the bytes of the image. Optional columns are `split` (train, validation,
test), `weight`, `source` and `p_female`, a soft label: training aims at it in place of the label.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.random import Generator

from genderprep.tensors import LABELS

from ..arrays import BoolsN
from .arrow import SPLITS as SPLITS
from .arrow import Piece, label_text, open_dataset, pieces_of, translate_errors
from .bad_rows import BadRows
from .bad_rows import ManifestError as ManifestError
from .labels import OPTION, LabelMap, check_label_map

REQUIRED: Final = ("nickname", "avatar", "gender")
# Default share of rows that may be bad.
MAX_BAD_ROWS: Final = 0.01
# Rows that are read at once: about 40 MB of images.
CHUNK: Final = 4096
_BYTES: Final = pd.ArrowDtype(pa.binary())


@dataclass(frozen=True)
class ManifestStats:
    """Usable rows by split, those with a positive weight by split and label, and the train split's share of women.

    The share is weighted.
    """

    rows: dict[str, int]
    labels: dict[str, dict[str, int]]
    prior_female: float


class Manifest:
    """An open manifest. It reads in pieces and keeps no rows in memory."""

    def __init__(self, file: Path, max_bad_rows: float = MAX_BAD_ROWS, label_map: LabelMap | None = None) -> None:
        """Open a file or a folder of shards.

        Args:
            file: The manifest.
            max_bad_rows: Share of the rows that may be bad.
            label_map: The manifest's own labels, besides `male` and `female`.

        Raises:
            ManifestError: The file type is unknown, the file is damaged, a column is missing, or the map is invalid.
            FileNotFoundError: The manifest does not exist.
        """
        self.file = file
        self._label_map = label_map or {}
        check_label_map(self._label_map)
        self._dataset = open_dataset(file)
        self.columns: tuple[str, ...] = tuple(self._dataset.schema.names)
        if missing := [column for column in REQUIRED if column not in self.columns]:
            raise ManifestError(f"{file}: expected the columns {', '.join(REQUIRED)}, missing {', '.join(missing)}")
        self._pieces = list(translate_errors(file, pieces_of(self._dataset)))
        self.bad_rows = BadRows(file, sum(piece.rows for piece in self._pieces), max_bad_rows, self._name_of)

    def tables(
        self, split: str | None = None, columns: Collection[str] | None = None, rng: Generator | None = None
    ) -> Iterator[pd.DataFrame]:
        """Yield the usable rows in tables of at most `CHUNK` rows, indexed by row number.

        Optional columns are filled with their defaults. Avatars are full paths or bytes. If `columns` is given, only
        these are read, plus gender, split and weight. `rng` shuffles the order of row groups and files.

        Raises:
            ManifestError: The file is damaged, or too many rows are bad (unknown gender or split, bad weight).
        """
        order: Iterable[int] = rng.permutation(len(self._pieces)) if rng else range(len(self._pieces))
        for piece in (self._pieces[index] for index in order):
            if split and piece.has_only_another_split(split):
                continue
            first = piece.first
            for batch in translate_errors(self.file, map(_to_pandas, self._batches(piece, columns))):
                rows = pd.RangeIndex(first, first := first + len(batch))
                table = self._checked(batch, rows)
                yield table[table["split"] == split] if split else table

    def take(self, rows: Collection[int]) -> pd.DataFrame:
        """Return the usable rows among these row numbers, reading no further than the last."""
        tables, last = [], max(rows, default=-1)
        for table in self.tables():
            tables.append(table[table.index.isin(rows)])
            if len(table) and table.index[-1] >= last:
                break
        return pd.concat(tables)

    @cached_property
    def stats(self) -> ManifestStats:
        """Counts over one pass, without nicknames and avatars if there is a `split` column.

        Raises:
            ManifestError: As for `tables`, or no train row has a positive weight.
        """
        rows, weight, female = dict.fromkeys(SPLITS, 0), 0.0, 0.0
        labels = {split: dict.fromkeys(LABELS, 0) for split in SPLITS}
        for table in self.tables(columns=()):
            for split, count in table["split"].value_counts().items():
                rows[str(split)] += int(count)
            weighted = table[table["weight"] > 0]
            for split, by_label in labels.items():
                genders = weighted.loc[weighted["split"] == split, "gender"]
                labels[split] = {label: count + int((genders == label).sum()) for label, count in by_label.items()}
            train = table[table["split"] == "train"]
            weight += float(train["weight"].sum())
            female += float(train.loc[train["gender"] == "female", "weight"].sum())
        if rows["train"] and not weight:
            raise ManifestError(f"{self.file}: expected a positive weight in the split 'train', all are 0")
        return ManifestStats(rows, labels, female / weight if weight else math.nan)

    def require_splits(self, *splits: str) -> None:
        """Check that each of `splits` has usable rows of both labels.

        Raises:
            ManifestError: A split is empty, or all its rows with a positive weight have the same label.
        """
        if empty := [repr(split) for split in splits if not self.stats.rows[split]]:
            raise ManifestError(f"{self.file}: no rows in the split {', '.join(empty)}")
        counts = {split: self.stats.labels[split] for split in splits}
        if any(0 in by_label.values() for by_label in counts.values()):
            found = "; ".join(f"{split}: {c['female']} female, {c['male']} male" for split, c in counts.items())
            raise ManifestError(f"{self.file}: expected both labels in each split, got {found} (rows of weight > 0)")

    def _batches(self, piece: Piece, columns: Collection[str] | None) -> Iterator[pa.RecordBatch]:
        batches: Iterator[pa.RecordBatch] = piece.fragment.to_batches(
            schema=self._dataset.schema,
            columns=[name for name in self.columns if columns is None or name in self._with_required(columns)],
            batch_size=CHUNK,
            batch_readahead=2,
        )
        yield from map(label_text, batches)

    def _with_required(self, columns: Collection[str]) -> set[str]:
        identity = set() if "split" in self.columns else {"nickname", "avatar"}
        return {*columns, "gender", "split", "weight", "p_female", *identity}

    def _checked(self, table: pd.DataFrame, rows: pd.RangeIndex) -> pd.DataFrame:
        """Fill in defaults, resolve avatar paths and drop the bad rows."""
        table = table.set_index(rows)
        if self._label_map:
            table["gender"] = [self._label_map.get(label, label) for label in table["gender"]]
        for column in {"nickname", "avatar", "source"} & {*table}:
            table[column] = table[column].fillna(b"" if table[column].dtype == _BYTES else "")
        if "split" not in table:
            identities = zip(table["avatar"], table["nickname"], strict=True)
            table["split"] = [split_of(avatar or nickname) for avatar, nickname in identities]
        if "avatar" in table and table["avatar"].dtype != _BYTES:
            folder = self.file if self.file.is_dir() else self.file.parent
            table["avatar"] = [str(folder / avatar) if avatar else "" for avatar in table["avatar"]]
        weight = pd.to_numeric(table.get("weight", pd.Series(1.0, rows)), errors="coerce").astype(float)
        table = table.assign(weight=weight, source=table.get("source", ""), p_female=_soft_labels(table))
        return table.loc[self._usable(table)]

    def _usable(self, table: pd.DataFrame) -> BoolsN:
        usable = pd.Series(True, table.index)
        for reason, valid, expected in (
            ("unknown gender", table["gender"].isin(LABELS), f"one of {', '.join(LABELS)}"),
            ("unknown split", table["split"].isin(SPLITS), f"one of {', '.join(SPLITS)}"),
            ("bad soft label", table["p_female"].between(0, 1), "p_female between 0 and 1"),
            ("bad weight", table["weight"].between(0, math.inf, inclusive="left"), "a number >= 0"),
        ):
            failure = ""
            try:
                for row in table.index[usable & ~valid]:
                    self.bad_rows.add(int(row), reason, f"expected {expected}")
            except ManifestError as exc:
                failure = str(exc)
            if failure:
                raise ManifestError(failure + self._unknown_labels())
            usable &= valid
        return usable.to_numpy()

    def _unknown_labels(self) -> str:
        """Count the unknown labels of the whole manifest, for an error."""
        unknown: Counter[str | None] = Counter()
        for piece in self._pieces:
            for batch in translate_errors(self.file, self._batches(piece, ())):
                unknown.update(label for label in batch["gender"].to_pylist() if label not in self._label_map)
        for label in LABELS:
            del unknown[label]
        if not unknown:
            return ""
        rows = f"{len(unknown)} unknown labels in {unknown.total()} rows"
        return f"; the column gender has {rows}; name each: {OPTION} LABEL=female {OPTION} LABEL=male"

    def _name_of(self, row: int) -> str:
        """Number a row from the start of its own file, and name the file if there are several."""
        if len({piece.file for piece in self._pieces}) == 1:
            return str(row)
        file = next(piece.file for piece in reversed(self._pieces) if piece.first <= row)
        return f"{row - next(piece.first for piece in self._pieces if piece.file == file)} of {file}"


def _to_pandas(batch: pa.RecordBatch) -> pd.DataFrame:
    table: pd.DataFrame = batch.to_pandas(types_mapper={pa.binary(): _BYTES}.get)
    return table


def _soft_labels(table: pd.DataFrame) -> "pd.Series[float]":
    """Return the column `p_female`, with the label where it is empty and NaN where it is no number."""
    label = (table["gender"] == "female").astype(float)
    soft = table.get("p_female", label)
    given = soft.notna() & (soft != "")
    return pd.Series(np.where(given, pd.to_numeric(soft, errors="coerce"), label), table.index)


def read_manifest(file: Path) -> pd.DataFrame:
    """Read all rows of a small manifest, indexed by row number. No row may be bad.

    Raises:
        ManifestError: As for `Manifest` and `Manifest.tables`.
        FileNotFoundError: The manifest does not exist.
    """
    return pd.concat(Manifest(file, max_bad_rows=0).tables())


def write_manifest(rows: list[dict[str, object]], file: Path) -> Path:
    """Write rows as CSV; return the file."""
    pd.DataFrame(rows).to_csv(file, index=False)
    return file


def split_of(identity: str | bytes) -> str:
    """Assign 80 % train, 10 % validation, 10 % test by a hash, so that an identity is in one split only.

    The trunks that were tuned on avatars held out the same tenth.
    """
    key = identity if isinstance(identity, bytes) else identity.encode()
    bucket = int(hashlib.sha256(key).hexdigest()[:8], 16) % 10
    return {0: "test", 1: "validation"}.get(bucket, "train")
