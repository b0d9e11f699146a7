from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from picturegallery.errors import GalleryError
from picturegallery.files import Gallery, read_gallery, write_gallery
from tests.support.tritonserver import ROOT


def test_written_gallery_is_read_back_mapped(gallery: Gallery, tmp_path: Path) -> None:
    write_gallery(gallery, tmp_path)
    read = read_gallery(tmp_path)
    assert isinstance(read.vectors, np.memmap)
    for name in ("vectors", "ids", "priors"):
        np.testing.assert_array_equal(getattr(read, name), getattr(gallery, name))
    assert (read.titles, read.about) == (gallery.titles, gallery.about)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"vectors": np.zeros((300, 32), np.float32)}, r"vectors.npy of float16 \[300, D\]"),
        ({"vectors": np.zeros((299, 32), np.float16)}, r"vectors.npy of float16 \[300, D\]"),
        ({"ids": np.ones(300, np.int64)}, r"ids.npy of int64 \[N\], positive and distinct"),
        ({"ids": np.arange(300)}, r"ids.npy of int64 \[N\], positive and distinct"),
        ({"priors": np.zeros((300, 1), np.float32)}, r"priors.npy of float32 \[300, 2\]"),
        ({"priors": np.tile(np.array([2, 1], np.float32), (300, 1))}, r"priors.npy .* likes from 0 to shows"),
        ({"priors": np.tile(np.array([0, np.nan], np.float32), (300, 1))}, r"priors.npy .* likes from 0 to shows"),
        ({"titles": ["one"]}, "titles.json with 300 titles"),
        ({"about": {}}, "encoder_digest in gallery.json"),
    ],
    ids=["dtype", "rows", "repeated", "zero", "priors", "likes", "nan", "titles", "digest"],
)
def test_files_that_disagree_are_refused(
    gallery: Gallery, tmp_path: Path, change: dict[str, Any], expected: str
) -> None:
    with pytest.raises(GalleryError, match=expected):
        write_gallery(replace(gallery, **change), tmp_path)


def test_missing_file_is_named(gallery: Gallery, tmp_path: Path) -> None:
    write_gallery(gallery, tmp_path)
    (tmp_path / "ids.npy").unlink()
    with pytest.raises(GalleryError, match=r"is no gallery: .*ids\.npy"):
        read_gallery(tmp_path)


@pytest.mark.parametrize("name", ["ids.npy", "titles.json"])
def test_empty_file_is_no_gallery(gallery: Gallery, tmp_path: Path, name: str) -> None:
    write_gallery(gallery, tmp_path)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(GalleryError, match="is no gallery"):
        read_gallery(tmp_path)


def test_shipped_gallery_has_400_cards() -> None:
    shipped = read_gallery(ROOT / "model_repository" / "gallery" / "1")
    assert shipped.ids.tolist() == list(range(1, 401))
    assert shipped.vectors.shape == (400, 32)
    np.testing.assert_allclose(np.linalg.norm(shipped.vectors.astype(np.float32), axis=1), 1, atol=2e-3)
