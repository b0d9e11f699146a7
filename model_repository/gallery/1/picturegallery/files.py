"""The files of one version of the gallery."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import GalleryError

VECTORS, IDS, PRIORS = "vectors.npy", "ids.npy", "priors.npy"
TITLES, ABOUT = "titles.json", "gallery.json"
ENCODER_DIGEST: Final = "encoder_digest"

Vectors = NDArray[np.float16]  # [N, D]
Ids = NDArray[np.int64]  # [N]
Priors = NDArray[np.float32]  # [N, 2], likes and shows


@dataclass(frozen=True)
class Gallery:
    """Pictures by row.

    Args:
        vectors: Unit vectors, mapped from the file.
        ids: What clients call the pictures: positive and distinct.
        titles: A title for each picture, empty if it has none.
        priors: How often each picture was liked and shown.
        about: `encoder_digest` and `prep_digest` of the encoder that computed the vectors, and what else the publisher
            recorded.
    """

    vectors: Vectors
    ids: Ids
    titles: list[str]
    priors: Priors
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def encoder_digest(self) -> str:
        return str(self.about[ENCODER_DIGEST])


def read_gallery(folder: Path) -> Gallery:
    """Read and check the files of a version.

    Raises:
        GalleryError: A file is missing or unreadable, or the files disagree.
    """
    try:
        vectors, ids, priors = (np.load(folder / name, mmap_mode="r") for name in (VECTORS, IDS, PRIORS))
        titles, about = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (TITLES, ABOUT))
    except (OSError, EOFError, ValueError) as exc:
        raise GalleryError(f"{folder} is no gallery: {exc}; publish it with conversion.publish_gallery") from exc
    gallery = Gallery(vectors, ids, titles, priors, about)
    _check(gallery, folder)
    return gallery


def write_gallery(gallery: Gallery, folder: Path) -> None:
    """Write the files of a version, and check them.

    Raises:
        GalleryError: The arrays disagree.
    """
    _check(gallery, folder)
    for name, array in ((VECTORS, gallery.vectors), (IDS, gallery.ids), (PRIORS, gallery.priors)):
        np.save(folder / name, array)
    for name, content in ((TITLES, gallery.titles), (ABOUT, gallery.about)):
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _check(gallery: Gallery, folder: Path) -> None:
    count, (vectors, ids, priors) = len(gallery.ids), (gallery.vectors, gallery.ids, gallery.priors)
    expected = {
        "at least one picture": count > 0,
        f"{VECTORS} of float16 [{count}, D]": vectors.dtype == np.float16 and vectors.shape[:-1] == (count,),
        f"{IDS} of int64 [N], positive and distinct": ids.dtype == np.int64
        and ids.ndim == 1
        and len(np.unique(ids)) == count
        and bool((ids > 0).all()),
        f"{PRIORS} of float32 [{count}, 2], likes from 0 to shows": priors.dtype == np.float32
        and priors.shape == (count, 2)
        and bool(((priors[:, 0] >= 0) & (priors[:, 0] <= priors[:, 1]) & np.isfinite(priors[:, 1])).all()),
        f"{TITLES} with {count} titles": len(gallery.titles) == count,
        f"{ENCODER_DIGEST} in {ABOUT}": bool(gallery.about.get(ENCODER_DIGEST)),
    }
    if wrong := [what for what, holds in expected.items() if not holds]:
        raise GalleryError(f"{folder}: expected {wrong[0]}")
