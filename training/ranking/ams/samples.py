"""Impressions to train on: the liked pictures of a user, the picture shown, and whether it was liked."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...arrays import BoolsNK, FloatsN, FloatsND, IntsN, IntsNK


@dataclass(frozen=True)
class Samples:
    """N impressions.

    Args:
        history: Ids of the liked pictures `[N, T]`; -1 pads.
        candidates: Ids of the pictures shown `[N]`.
        liked: 1 if the picture was liked `[N]`.
    """

    history: IntsNK
    candidates: IntsN
    liked: FloatsN

    @property
    def mask(self) -> BoolsNK:
        """Which places of the history hold a picture, `[N, T]`."""
        return self.history >= 0

    def take(self, rows: IntsN) -> "Samples":
        """Return some of the impressions."""
        return Samples(self.history[rows], self.candidates[rows], self.liked[rows])

    def pictures(self) -> IntsN:
        """Return the ids of all pictures: the histories' row by row, then the candidates."""
        return np.concatenate([self.history[self.mask], self.candidates])


def draw_samples(count: int, pictures: int, history: int, seed: int) -> Samples:
    """Draw impressions. Popularity falls as 1 / rank, so a batch repeats the popular pictures."""
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, pictures + 1)
    ids = rng.choice(pictures, (count, history + 1), p=popularity / popularity.sum())
    kept = np.arange(history) < rng.integers(0, history + 1, count)[:, None]
    liked = rng.random(count) < 0.3
    return Samples(np.where(kept, ids[:, 1:], -1), ids[:, 0], liked.astype(np.float32))


def write_samples(file: Path, samples: Samples) -> None:
    """Write impressions as `.npz`."""
    np.savez(file, history=samples.history, candidates=samples.candidates, liked=samples.liked)


def read_samples(file: Path) -> Samples:
    """Read impressions."""
    with np.load(file) as arrays:
        return Samples(**arrays)


def write_vectors(file: Path, pictures: int, dims: int, dtype: str, seed: int) -> FloatsND:
    """Draw raw picture vectors `[pictures, dims]`, write them as `.npy`, and return them."""
    vectors = np.random.default_rng(seed).standard_normal((pictures, dims), np.float32).astype(dtype)
    np.save(file, vectors)
    return vectors
