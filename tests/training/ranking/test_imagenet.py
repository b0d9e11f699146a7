"""Vectors of a network for a world's cards, with average colors in place of the network's features."""

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from tests.support.pictures import encode, noise
from training.arrays import FloatsND
from training.ranking import imagenet
from training.ranking.world import chosen_cards

pytestmark = pytest.mark.usefixtures("eager")

SIZE, DIMS = 64, 32
CELLS = 4
SPLITS = {"train": 12, "test": 6, "validation": 1}


def colors(_: Path, size: int) -> Any:
    """In place of the encoder with ImageNet weights: 48 features."""
    assert size == SIZE
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), keras.layers.AveragePooling2D(16), keras.layers.Flatten()])


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of cards beside its pictures."""
    folder = tmp_path_factory.mktemp("cards")
    splits = [split for split, count in SPLITS.items() for _ in range(count * CELLS)]
    for number in range(len(splits)):
        (folder / f"{number}.png").write_bytes(encode(noise(SIZE, number), "PNG"))
    table = pd.DataFrame({"split": splits, "picture": [f"{number}.png" for number in range(len(splits))]})
    table["theme"] = [f"theme {number % CELLS}" for number in range(len(splits))]
    table.assign(style="plain").to_csv(folder / "cards.csv", index=False)
    return folder / "cards.csv"


@pytest.fixture
def vectors(cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FloatsND:
    """Those that the command writes."""
    monkeypatch.setattr(imagenet, "imagenet_encoder", colors)
    file = tmp_path / "new" / "vectors.npy"
    monkeypatch.setattr(sys, "argv", ["imagenet", "--cards", str(cards), "--weights", "unused", "--out", str(file)])
    imagenet.main()
    written: FloatsND = np.load(file)
    return written


def test_only_cards_of_the_world_have_vectors_of_unit_length(vectors: FloatsND, cards: Path) -> None:
    table = pd.read_csv(cards)
    chosen = np.isin(np.arange(len(table)), chosen_cards(table, seed=1))
    assert vectors.shape == (len(table), DIMS)
    assert 0 < chosen.sum() < len(table)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), chosen, atol=1e-5)


def test_directions_are_those_of_the_train_split(cards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other pictures in the test split change its own vectors only."""
    table = pd.read_csv(cards)
    monkeypatch.setattr(imagenet, "imagenet_encoder", colors)
    before = imagenet.imagenet_vectors(table, cards.parent, Path())
    is_test = table["split"] == "test"
    table.loc[is_test, "picture"] = table["picture"][is_test].to_numpy()[::-1]
    after = imagenet.imagenet_vectors(table, cards.parent, Path())
    np.testing.assert_array_equal(after[~is_test], before[~is_test])
    chosen = chosen_cards(table, seed=1)
    assert (after[chosen] != before[chosen]).any(axis=1).sum() == is_test.to_numpy()[chosen].sum()
