"""A world's files are what training reads; its cards and vectors are as asked for."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.ranking import world
from training.ranking.examples import examples_of
from training.synthetic.preferences import CELLS, cells_of


@pytest.fixture
def cards() -> pd.DataFrame:
    themes, styles = zip(*CELLS, strict=True)
    table = pd.DataFrame({"theme": list(themes) * 20, "style": list(styles) * 20})
    table["id"] = np.arange(1, len(table) + 1)
    table["split"] = np.repeat(["train", "test", "validation"], [12 * len(CELLS), 6 * len(CELLS), 2 * len(CELLS)])
    return table


def test_a_world_has_as_many_cards_of_each_cell(cards: pd.DataFrame) -> None:
    chosen = cards.iloc[world.chosen_cards(cards, 1)]
    for split, expected in (("train", 10), ("test", 5)):
        _, counts = np.unique(cells_of(*_names(chosen[chosen["split"] == split])), return_counts=True)
        np.testing.assert_array_equal(counts, np.full(len(CELLS), expected))
    assert "validation" not in set(chosen["split"])


def test_exact_vectors_tell_cells_apart() -> None:
    vectors = world.exact_vectors(np.array([0, 1, 0, 95]))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    # The first two cells share their theme.
    assert 0.2 < vectors[0] @ vectors[1] < 0.95


def test_files_are_those_that_training_reads(
    cards: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards.to_csv(tmp_path / "cards.csv", index=False)
    vectors = np.random.default_rng(0).normal(size=(len(cards), 4))
    np.save(tmp_path / "vectors.npy", vectors)
    (tmp_path / "gallery.json").write_text("{}")
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "world",
            *("--cards", str(tmp_path / "cards.csv"), "--vectors", str(tmp_path / "vectors.npy")),
            *("--gallery-json", str(tmp_path / "gallery.json")),
            *("--sessions", "80", "--out", str(tmp_path / "world")),
        ],
    )
    world.main()
    folder = tmp_path / "world/gallery"
    ids = np.load(folder / "ids.npy")
    np.testing.assert_allclose(np.load(folder / "vectors.npy"), vectors[ids - 1], atol=1e-2)
    assert (folder / "gallery.json").read_text() == "{}"
    examples = examples_of(pd.read_parquet(tmp_path / "world/impressions.parquet"), ids)
    assert (len(examples), examples.candidates.shape[1]) == (100, 20)
    assert examples.candidates.min() > 0
    # The last day's pictures are new.
    last = examples.days == examples.days.max()
    assert last.sum() == 20
    assert (~examples.rows(~last).seen(len(ids))[examples.candidates[last]]).any()


def test_vectors_of_other_cards_are_refused(
    cards: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards.to_csv(tmp_path / "cards.csv", index=False)
    np.save(tmp_path / "vectors.npy", np.zeros((len(cards) - 1, 4)))
    files = ["--cards", str(tmp_path / "cards.csv"), "--vectors", str(tmp_path / "vectors.npy")]
    monkeypatch.setattr(sys, "argv", ["world", *files, "--out", str(tmp_path / "world")])
    with pytest.raises(SystemExit, match=f"expected a vector of each of {len(cards)} cards, got {len(cards) - 1}"):
        world.main()


def _names(cards: pd.DataFrame) -> tuple[list[str], list[str]]:
    return cards["theme"].tolist(), cards["style"].tolist()
