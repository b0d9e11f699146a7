"""Photos are spoiled in their own split, and count as good until they are."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from training.curation.pictures import UNKNOWN, read_labeled_pictures
from training.synthetic.draw_defects import write_images
from training.synthetic.spoil_pictures import choose_photos, spoil_photos

RNG = np.random.default_rng(0)


def photo(level: int) -> bytes:
    """A picture of noise around a gray level, wider than high."""
    pixels = np.clip(RNG.normal(level, 10, (60, 90, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(buffer := BytesIO(), "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def photos() -> pd.DataFrame:
    """Dark photos of the split train, bright ones of the split test."""
    splits = ["train", "test"] * 10
    avatars = [photo(60 if split == "train" else 190) for split in splits]
    return pd.DataFrame({"avatar": avatars, "split": splits, "identity": [f"faces/{row}" for row in range(20)]})


def test_only_photos_are_chosen_and_not_too_many() -> None:
    table = pd.DataFrame(
        [
            *(("faces", f"faces/{number}", "photo", "train") for number in range(5)),
            ("faces", "faces/9", "photo", "test"),
            ("emoji", "emoji/1", "emoji", "train"),
            ("neutral_dicebear", "neutral_dicebear/bottts", "neutral", "train"),
            ("neutral_caltech101", "neutral_caltech101/caltech101/ant", "neutral", "train"),
            ("neutral_caltech101", "neutral_caltech101/caltech101/chair", "neutral", "train"),
        ],
        columns=["source", "identity", "kind", "split"],
    )
    chosen = choose_photos(table, most=3)
    assert chosen.groupby(["source", "split"]).size().to_dict() == {
        ("faces", "train"): 3,
        ("faces", "test"): 1,
        ("neutral_caltech101", "train"): 1,
    }


def test_manifest_labels_what_was_added(photos: pd.DataFrame, tmp_path: Path) -> None:
    pictures = read_labeled_pictures(write_images(spoil_photos(photos, 20, 0.3), tmp_path))
    assert len(pictures) == 400
    for name in ("blurred", "low_resolution", "text_overlay", "collage", "unsuitable"):
        assert 0.01 < (pictures.of(name) == 1).mean() < 0.5
        assert (pictures.of(name) == 0).any()
    for name in ("white_background", "solid_background", "several_subjects"):
        assert (pictures.of(name) == UNKNOWN).all()
    assert not pictures.of("illustration").any()


def test_a_collage_has_photos_of_one_split(photos: pd.DataFrame) -> None:
    collages = [
        (picture, image) for picture, image in spoil_photos(photos, 20, 0.0, 0.0) if picture.layout == "collage"
    ]
    assert {picture.split for picture, _ in collages} == {"train", "test"}
    for picture, image in collages:
        corners = np.asarray(image.convert("L"))[[40, 40, 215, 215], [40, 215, 40, 215]]
        if not (picture.text or picture.quality):
            assert (corners < 125).all() if picture.split == "train" else (corners > 125).all()


def test_good_photos_are_as_they_were(photos: pd.DataFrame) -> None:
    for picture, image in spoil_photos(photos, 5, 0.0, 0.0):
        if picture.layout == "plain" and not (picture.text or picture.quality):
            assert image.size == (256, 256)
            assert np.asarray(image).mean() == pytest.approx(60 if picture.split == "train" else 190, abs=5)
