"""Pictures in memory, and training batches drawn from them by kind."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from keras import ops
from numpy.random import Generator

from genderprep import InvalidInput, prepare_image

from ..arrays import BoolsN, FloatsN, ImagesNSS3, IntsN, TensorB1, TensorBSS3
from ..data.augmentation import Augmentation, augment_images
from ..data.bad_rows import ManifestError
from ..data.stream import run_ahead
from ..data.tables import read_parquet

# What a picture that tells nothing teaches.
UNDECIDED: Final = 0.5
NEUTRAL: Final = "neutral"
# Drawings dress women and men in different colors, so their hues are turned at random.
_DRAWN: Final = ("cartoon", "emoji")
_ANY_HUE: Final = 180.0
# Batches that are prepared ahead.
_AHEAD: Final = 2


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures, uint8 [N, S, S, 3], with their rows of `training.synthetic.pictures` (without `avatar`)."""

    table: pd.DataFrame
    images: ImagesNSS3

    @property
    def p_female(self) -> FloatsN:
        """The targets, [N]: 1 for female, 0 for male, 1/2 for a picture that tells nothing."""
        return self.table["gender"].map({"female": 1.0, "male": 0.0, "": UNDECIDED}).to_numpy(np.float32)

    def rows(self, selection: BoolsN) -> "Pictures":
        """Select pictures by a mask."""
        return Pictures(self.table[selection].reset_index(drop=True), self.images[selection])


def read_packed(file: Path, size: int, *splits: str) -> Pictures:
    """Read the pictures of some splits from the file that `training.synthetic.pack_pictures` writes.

    Raises:
        FileNotFoundError: The file does not exist.
        ManifestError: It is damaged, a column is missing, or there is no picture of these splits.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no pictures {file}; `python -m training.synthetic.pack_pictures` writes them")
    table = read_parquet(file, "avatar", "gender", "source", "kind", "split")
    table = table[table["split"].isin(splits)].reset_index(drop=True)
    if table.empty:
        raise ManifestError(f"{file}: expected pictures of the split {' or '.join(splits)}, got none")
    with ThreadPoolExecutor() as pool:
        try:
            images = np.stack([image for image, _ in pool.map(partial(prepare_image, size=size), table["avatar"])])
        except InvalidInput as exc:
            raise ManifestError(f"{file}: {exc}; pack the pictures again") from None
    return Pictures(table.drop(columns="avatar"), images)


def draw_batches(
    pictures: Pictures,
    shares: Mapping[str, float],
    batch: int,
    batches: int,
    seed: int,
    augmentation: Augmentation | None,
) -> Iterator[tuple[TensorBSS3, TensorB1]]:
    """Draw batches: images, uint8 [B, S, S, 3], and P(female), float32 [B, 1].

    Args:
        pictures: Where to draw from.
        shares: How often each kind of picture is drawn. `neutral` is everything that tells nothing; of any other kind,
            women and men are equally likely.
        batch: B.
        batches: How many to draw.
        seed: Determines the batches.
        augmentation: Random changes; None for clean pictures.
    """
    weights, p_female = _weights(pictures.table, shares), pictures.p_female[:, None]
    drawn = pictures.table["kind"].isin(_DRAWN).to_numpy()
    scenes = np.flatnonzero(pictures.table["kind"] == NEUTRAL)

    def behind(part: IntsN, rng: Generator) -> ImagesNSS3 | None:
        return pictures.images[rng.choice(scenes, len(part))] if len(scenes) else None

    def job(number: int) -> tuple[TensorBSS3, TensorB1]:
        rng = np.random.default_rng((seed, number))
        rows = rng.choice(len(weights), batch, p=weights)
        if not augmentation:
            return pictures.images[rows], p_female[rows]
        parts = rows[~drawn[rows]], rows[drawn[rows]]
        images = [
            augment_images(pictures.images[part], changes, rng, behind(part, rng))
            for part, changes in zip(parts, (augmentation, replace(augmentation, hue=_ANY_HUE)), strict=True)
            if len(part)
        ]
        return ops.concatenate(images), p_female[np.concatenate(parts)]

    return run_ahead((partial(job, number) for number in range(batches)), _AHEAD)


def _weights(table: pd.DataFrame, shares: Mapping[str, float]) -> FloatsN:
    """Return the probability of each row."""
    kinds = table["kind"].where(table["gender"] != "", NEUTRAL)
    sizes = table.groupby([kinds, "gender"])["gender"].transform("size")
    weights = kinds.map(dict(shares)).fillna(0) / sizes * np.where(kinds == NEUTRAL, 2, 1)
    probabilities: FloatsN = (weights / weights.sum()).to_numpy(float)
    return probabilities
