"""The manifest under review: its pictures, its labels, and the decisions that correct it."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import numpy as np
import pandas as pd

from genderprep import InvalidAvatar, prepare_image

from ..arrays import ImageSS3, IntsN
from ..data.bad_rows import ManifestError
from ..data.tables import read_text_columns

PICTURE_COLUMNS: Final = ("picture", "avatar")
LABEL_COLUMNS: Final = ("label", "gender")


class DecisionsError(ValueError):
    """A file of decisions cannot be used."""


@dataclass(frozen=True)
class ReviewManifest:
    """A CSV file with a column of pictures and a column of labels; an empty label is not known yet.

    Args:
        file: The CSV file. Pictures are paths relative to it.
        table: Its rows, all text.
        picture: The column of pictures.
        label: The column of labels.
    """

    file: Path
    table: pd.DataFrame
    picture: str
    label: str

    @classmethod
    def read(cls, file: Path, label: str | None = None) -> Self:
        """Read a manifest; by default, its labels are in the column `label` or `gender`.

        Raises:
            ManifestError: The file is damaged, or a column is missing.
            FileNotFoundError: It does not exist.
        """
        table = read_text_columns(file)
        labels = (label,) if label else LABEL_COLUMNS
        return cls(file, table, _column(file, table, PICTURE_COLUMNS), _column(file, table, labels))

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the file."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    @cached_property
    def labels(self) -> list[str]:
        """The different labels, sorted."""
        return sorted({*self.table[self.label]} - {""})

    @property
    def codes(self) -> IntsN:
        """The position of each row's label in `labels`, −1 if it has none, `[N]`."""
        return np.array([self.labels.index(label) if label else -1 for label in self.table[self.label]])

    def pictures(self, rows: Sequence[int]) -> Iterator[tuple[int, ImageSS3]]:
        """Yield the readable pictures among some rows, as `genderprep` prepares them."""
        for row in rows:
            if name := self.table[self.picture].iloc[row]:
                try:
                    yield row, prepare_image((self.file.parent / name).read_bytes())[0]
                except (OSError, InvalidAvatar):
                    continue

    def corrected(self, decisions: Path, folder: Path) -> pd.DataFrame:
        """Return the rows with the labels that were decided, without those that are not usable.

        Args:
            decisions: The file that the page saved.
            folder: Where the corrected manifest will be; pictures become relative to it.

        Raises:
            DecisionsError: The file is damaged, or belongs to another manifest.
        """
        labels, usable = self.table[self.label].tolist(), np.ones(len(self.table), bool)
        for row, label in self._read(decisions):
            labels[row], usable[row] = label, label is not None
        here, there = self.file.parent.resolve(), folder.resolve()
        moved = [os.path.relpath(here / name, there) if name else "" for name in self.table[self.picture]]
        return self.table.assign(**{self.label: labels, self.picture: moved})[usable]

    def _read(self, decisions: Path) -> list[tuple[int, str | None]]:
        try:
            content = json.loads(decisions.read_text(encoding="utf-8"))
            made_for, column = content["manifest"], content["column"]
            pairs = [(int(each["row"]), each["label"]) for each in content["decisions"]]
        except (ValueError, KeyError, TypeError) as exc:
            raise DecisionsError(f"{decisions}: expected the file that the page saves, got damaged JSON") from exc
        if (made_for, column) != (self.digest, self.label):
            raise DecisionsError(f"{decisions}: made for another manifest or column; review {self.file} again")
        if bad := sum(not 0 <= row < len(self.table) or label not in {None, *self.labels} for row, label in pairs):
            raise DecisionsError(f"{decisions}: {bad} decisions name no row or no label of {self.file}")
        return pairs


def _column(file: Path, table: pd.DataFrame, names: Sequence[str]) -> str:
    found = next((name for name in names if name in table), None)
    if found is None:
        raise ManifestError(f"{file}: expected a column {' or '.join(names)}, got {', '.join(table.columns)}")
    return found
