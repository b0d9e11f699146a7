"""The drawn sets of the loop, and what its networks see of them; both are kept on disk."""

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from ..arrays import BoolsN, ImagesNSS3, IntsN, LabelsNA
from ..pretrain.pictures import block_means
from ..synthetic.defects import ATTRIBUTES
from .benchmark import draw_pool
from .frozen import Weights, split_pretrained
from .runs import keep
from .study import ATTRIBUTE
from .views import Plain, Views, compute_maps, compute_views

# Number of pictures, split, share of unsuitable pictures and first seed of each set. Measures weight the shares.
SETS: Final = {
    "start": (700, "train", 0.3, 10_000),
    "pool": (4000, "train", 0.06, 500),
    "validation": (1500, "validation", 0.08, 5500),
    "test": (4000, "test", 0.07, 7500),
}


class Drawn(NamedTuple):
    """Pictures of a set: pixels `[N, S, S, 3]`, labels `[N, A]`, and the number of what each shows, `[N]`."""

    pixels: ImagesNSS3
    labels: LabelsNA
    identities: IntsN

    @property
    def truth(self) -> BoolsN:
        """Return whether each picture is unsuitable."""
        unsuitable: BoolsN = self.labels[:, ATTRIBUTES.index(ATTRIBUTE)] == 1
        return unsuitable


class Seen(NamedTuple):
    """What networks see: views of the pictures that may be labeled, held-out pictures, and their first weights."""

    pictures: Views
    validation: Plain
    test: Plain
    initial: Weights


def draw_sets(folder: Path) -> dict[str, Drawn]:
    """Draw the sets, or read those that are kept in `folder`."""
    return {name: _kept_set(folder / f"{name}.npz", *sizes) for name, sizes in SETS.items()}


def see(sets: dict[str, Drawn], size: int, weights: Path | None, folder: Path) -> Seen:
    """Return what networks see of the sets: pictures, or what the frozen blocks of a pretrained network compute.

    Raises:
        FileNotFoundError: The weights do not exist.
        ConfigError: They are those of another network.
    """
    pixels = {name: _reduced(each.pixels, size) for name, each in sets.items()}
    pictures = np.concatenate([pixels["start"], pixels["pool"]])
    if weights is None:
        return Seen(pictures, pixels["validation"], pixels["test"], {})
    frozen, initial = split_pretrained(weights, size)

    def compute() -> dict[str, Any]:
        held_out = {name: compute_maps(frozen, pixels[name]) for name in ("validation", "test")}
        return {"pictures": compute_views(frozen, pictures, seed=0), **held_out}

    return Seen(**keep(folder / "maps.npz", compute), initial=initial)


def _reduced(pictures: ImagesNSS3, size: int) -> ImagesNSS3:
    """Average square blocks of pixels, from `[N, S, S, 3]` to `[N, size, size, 3]`."""
    return np.stack([np.rint(block_means(each, size)).astype(np.uint8) for each in pictures])


def _kept_set(file: Path, count: int, split: str, share: float, first: int) -> Drawn:
    def draw() -> dict[str, Any]:
        drawn = draw_pool(count, split, share, first)
        motif, design = (drawn.table[name].to_numpy(str) for name in ("motif", "design"))
        # A picture without a motif is an identity of its own.
        names = np.where(motif == "", drawn.table["seed"].to_numpy(str), np.char.add(motif, design))
        return {"pixels": drawn.pixels, "labels": drawn.labels, "identities": pd.factorize(names)[0]}

    return Drawn(**keep(file, draw))
