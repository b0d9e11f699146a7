"""Pictures with defects are determined by their seed and show what their labels say."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from training.arrays import FloatsNK
from training.synthetic.cards import font
from training.synthetic.defect_drawing import draw, encode
from training.synthetic.defect_effects import ERRORS, SLOGANS
from training.synthetic.defect_motifs import HARMLESS, MOTIFS, UNSUITABLE, cutout
from training.synthetic.defects import ATTRIBUTES, PAGES, Picture, compose, designs_of
from training.synthetic.draw_defects import write_pictures


def picture(
    layout: str = "plain", base: str = "card", quality: str = "", text: bool = False, motif: str = ""
) -> Picture:
    return Picture(3, "train", base, layout, quality, text, motif, 0)


def pixels(drawn: Picture) -> FloatsNK:
    return np.asarray(draw(drawn).convert("L"), float)


def sharpness(drawn: Picture) -> float:
    return float(np.abs(np.diff(pixels(drawn), axis=1)).max())


def grain(drawn: Picture) -> float:
    gray = draw(drawn).convert("L").reduce(2)
    return float(np.abs(np.asarray(gray, float) - np.asarray(gray.filter(ImageFilter.MedianFilter(3)), float)).mean())


def test_a_seed_determines_the_picture() -> None:
    assert compose(5, "test") == compose(5, "test")
    assert encode(compose(5, "test")) == encode(compose(5, "test"))
    assert encode(compose(5, "train")) != encode(compose(5, "test"))


def test_all_attributes_and_motifs_occur_at_their_rates() -> None:
    composed = [compose(seed, p_unsuitable=0.2) for seed in range(4000)]
    labels = pd.DataFrame([each.labels for each in composed])
    assert labels.columns.tolist() == [*ATTRIBUTES]
    assert ((labels == 1).mean() > 0.03).all()
    assert (labels["unsuitable"] == 1).mean() == pytest.approx(0.2 * 0.92, abs=0.02)
    assert {each.motif for each in composed} == {"", *MOTIFS}
    assert {each for each in ATTRIBUTES if (labels[each] == 0).any()} == {*ATTRIBUTES}


def test_harmless_motifs_occur_at_their_rate() -> None:
    composed = [compose(seed, p_unsuitable=0.4, p_harmless=0.5) for seed in range(1000)]
    assert np.mean([each.motif in HARMLESS for each in composed]) == pytest.approx(0.5 * 0.92, abs=0.05)
    assert np.mean([each.motif in UNSUITABLE for each in composed]) == pytest.approx(0.4 * 0.92, abs=0.05)


def test_a_stream_has_one_unsuitable_picture_in_a_thousand() -> None:
    found = sum(compose(seed).labels["unsuitable"] for seed in range(20_000))
    assert 8 <= found <= 32


def test_no_design_of_a_motif_is_in_two_splits() -> None:
    splits = ("train", "validation", "test")
    assert sum(len(designs_of(split)) for split in splits) == len({d for split in splits for d in designs_of(split)})
    composed = {split: [compose(seed, split, 1.0) for seed in range(400)] for split in splits}
    shown = {split: {each.design for each in pictures if each.motif} for split, pictures in composed.items()}
    assert shown == {split: {*designs_of(split)} for split in splits}


@pytest.mark.parametrize("motif", MOTIFS)
def test_designs_of_a_motif_differ_and_fit_the_canvas(motif: str) -> None:
    drawn = [cutout(MOTIFS[motif], f"motif/{motif}/{design}") for design in range(3)]
    small = [np.asarray(each.resize((24, 24)), float) for each in drawn]
    assert min(np.abs(a - b).mean() for i, a in enumerate(small) for b in small[:i]) > 2
    assert all(min(each.size) > 40 and max(each.size) < 512 for each in drawn)


def test_a_motif_changes_a_part_of_the_picture() -> None:
    changed = [np.abs(pixels(picture(motif=motif)) - pixels(picture())).max(axis=None) for motif in MOTIFS]
    shares = [(pixels(picture(motif=motif)) != pixels(picture())).mean() for motif in MOTIFS]
    assert min(changed) > 20
    assert min(shares) > 0.002 and max(shares) < 0.3


def test_only_motifs_that_are_unsuitable_are_labeled_so() -> None:
    assert all(picture(motif=motif).labels["unsuitable"] == 1 for motif in UNSUITABLE)
    assert all(picture(motif=motif).labels["unsuitable"] == 0 for motif in HARMLESS)


def test_blur_softens_and_low_resolution_coarsens() -> None:
    assert sharpness(picture(quality="blurred")) < 0.4 * sharpness(picture())
    coarse = Image.fromarray(pixels(picture(quality="low_resolution")).astype(np.uint8))
    small = coarse.resize((26, 26), Image.Resampling.BOX).resize(coarse.size, Image.Resampling.BICUBIC)
    difference = np.abs(np.asarray(small, float) - np.asarray(coarse, float)).mean()
    assert difference < np.abs(pixels(picture(quality="low_resolution")) - pixels(picture())).mean()


def test_text_covers_much_of_a_picture() -> None:
    for seed in range(6):
        plain = Picture(seed, "train", "scene", "plain", "", False, "", 0)
        with_text = Picture(seed, "train", "scene", "plain", "", True, "", 0)
        assert 0.06 < (pixels(plain) != pixels(with_text)).mean() < 0.8


def test_plain_backgrounds_are_plain() -> None:
    for layout, white in (("white_background", True), ("solid_background", False)):
        corners = np.asarray(draw(picture(layout, "subject")))[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert len(np.unique(corners, axis=0)) == 1
        assert (corners == 255).all() == white


def test_renderings_have_grain_and_drawings_have_none() -> None:
    assert grain(picture(base="rendering")) > 3 * grain(picture(base="portrait"))
    assert [picture(base=base).labels["illustration"] for base in ("rendering", "portrait")] == [0, 1]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_a_picture_has_no_other_labels(page: str) -> None:
    labels = picture(page, "").labels
    assert {each for each, value in labels.items() if value >= 0} == {*PAGES, "unsuitable"}
    assert Counter(labels.values()) == {-1: 8, 0: 2, 1: 1}
    assert draw(picture(page, "")).size == (256, 256)


def test_what_has_two_right_answers_has_no_label() -> None:
    assert picture(quality="low_resolution").labels["blurred"] == -1
    assert picture(quality="blurred").labels["low_resolution"] == -1
    cards = [Picture(seed, "train", "card", "plain", "", False, "", 0).labels for seed in range(100)]
    assert {label["white_background"] for label in cards} == {0, -1}
    assert {label["low_resolution"] for label in cards} == {0, -1}


def test_the_font_has_all_characters() -> None:
    missing = bytes(font(24).getmask("\U0010fffe"))
    characters = {*"".join((*SLOGANS, *ERRORS))} - {" "}
    assert [each for each in sorted(characters) if bytes(font(24).getmask(each)) == missing] == []


def test_manifest_lists_the_pictures(tmp_path: Path) -> None:
    manifest = write_pictures([compose(seed, split) for split in ("train", "test") for seed in range(4)], tmp_path)
    table = pd.read_csv(manifest, dtype=str, keep_default_na=False)
    assert {*ATTRIBUTES, "picture", "split", "base", "motif", "design", "seed"} == {*table.columns}
    assert all((tmp_path / name).is_file() for name in table["picture"])
    assert table["split"].tolist() == ["train"] * 4 + ["test"] * 4
