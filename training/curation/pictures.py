"""Pictures with one label per attribute: from a manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ..arrays import BoolsN, ImagesNSS3, IntsN, LabelsN, LabelsNA
from ..data.bad_rows import ManifestError
from ..pretrain.pictures import read_pictures
from ..synthetic.defects import ATTRIBUTES

# The side of a picture in pixels.
SIZE: Final = 64
# A label that is not known, or does not apply.
UNKNOWN: Final = -1


@dataclass(frozen=True)
class LabeledPictures:
    """N pictures with labels of A attributes, in the order of `table`, which keeps all columns of the manifest.

    Args:
        pixels: uint8 `[N, S, S, 3]`.
        labels: 1 present, 0 absent, −1 unknown, `[N, A]`.
        attributes: The names of the attributes.
        table: One row per picture.
    """

    pixels: ImagesNSS3
    labels: LabelsNA
    attributes: tuple[str, ...]
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)

    def of(self, attribute: str) -> LabelsN:
        """Return the labels of one attribute, `[N]`."""
        return self.labels[:, self.attributes.index(attribute)]

    def rows(self, selection: BoolsN | IntsN) -> "LabeledPictures":
        """Select pictures by a mask or by position."""
        table = self.table.iloc[selection].reset_index(drop=True)
        return LabeledPictures(self.pixels[selection], self.labels[selection], self.attributes, table)

    def split(self, name: str) -> "LabeledPictures":
        """Select a split: `train`, `validation` or `test`."""
        return self.rows((self.table["split"] == name).to_numpy())


def read_labeled_pictures(manifest: Path, size: int = SIZE) -> LabeledPictures:
    """Read pictures as they are served, and their labels.

    A manifest has the column `picture`, a path relative to it, and a column for each attribute that it labels, with 1,
    0 or nothing.

    Args:
        manifest: A CSV file, such as that of `training.synthetic.draw_defects`.
        size: S, the side of the pictures in pixels; it divides 128.

    Raises:
        ManifestError: A column or a picture is missing or unreadable, or a label is neither 1, 0 nor empty.
    """
    pictures = read_pictures(manifest, size)
    table = pictures.table
    if not {*ATTRIBUTES} & {*table}:
        raise ManifestError(f"{manifest}: expected a column for at least one of {', '.join(ATTRIBUTES)}")
    return LabeledPictures(pictures.pixels, _labels(table, manifest), ATTRIBUTES, table)


def join_pictures(parts: Sequence[LabeledPictures]) -> LabeledPictures:
    """Return the pictures of several manifests, one after the other."""
    return LabeledPictures(
        np.concatenate([each.pixels for each in parts]),
        np.concatenate([each.labels for each in parts]),
        parts[0].attributes,
        pd.concat([each.table for each in parts], ignore_index=True),
    )


def _labels(table: pd.DataFrame, manifest: Path) -> LabelsNA:
    labels = np.full((len(table), len(ATTRIBUTES)), UNKNOWN, np.int8)
    for column, name in enumerate(ATTRIBUTES):
        if name in table:
            values = table[name].map({"1": 1, "0": 0, "": UNKNOWN})
            if values.isna().any():
                row = int(values.isna().to_numpy().argmax())
                raise ManifestError(f"{manifest}: row {row}: expected 1, 0 or nothing in the column {name}")
            labels[:, column] = values
    return labels
