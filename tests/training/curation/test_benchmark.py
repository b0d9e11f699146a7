"""Labeled pictures from the benchmark and from manifests; the oracle and its errors."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.curation.benchmark import draw_pool
from training.curation.label_noise import flip
from training.curation.oracle import Oracle
from training.curation.pictures import LabeledPictures, read_labeled_pictures
from training.data.bad_rows import ManifestError
from training.synthetic.defects import ATTRIBUTES, compose
from training.synthetic.draw_defects import write_pictures


@pytest.fixture(scope="module")
def pool() -> LabeledPictures:
    return draw_pool(24, "test", p_unsuitable=0.5, first=7)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = [compose(seed, "test", 0.5) for seed in range(7, 31)]
    return write_pictures(pictures, tmp_path_factory.mktemp("defects"))


def test_drawn_arrays_equal_those_read_from_files(pool: LabeledPictures, manifest: Path) -> None:
    read = read_labeled_pictures(manifest)
    assert pool.pixels.shape == (24, 64, 64, 3) and pool.pixels.dtype == np.uint8
    np.testing.assert_array_equal(pool.pixels, read.pixels)
    np.testing.assert_array_equal(pool.labels, read.labels)
    assert pool.attributes == read.attributes == ATTRIBUTES


def test_rows_and_splits(pool: LabeledPictures) -> None:
    unsuitable = pool.rows(pool.of("unsuitable") == 1)
    assert 5 < len(unsuitable) < 19
    assert (unsuitable.table["motif"] != "").all()
    assert len(pool.split("test")) == 24 and len(pool.split("train")) == 0


def test_manifests_that_cannot_be_used(manifest: Path) -> None:
    table, file = pd.read_csv(manifest, dtype=str, keep_default_na=False).head(3), manifest.with_name("bad.csv")
    table.assign(collage=["1", "maybe", ""]).to_csv(file, index=False)
    with pytest.raises(ManifestError, match="row 1: expected 1, 0 or nothing in the column collage"):
        read_labeled_pictures(file)
    table[["picture"]].to_csv(file, index=False)
    with pytest.raises(ManifestError, match="expected a column for at least one of blurred, "):
        read_labeled_pictures(file)


def test_the_oracle_counts_what_it_is_asked() -> None:
    truth = np.array([[1, 0], [0, -1], [1, 1]], np.int8)
    oracle = Oracle(truth)
    assert oracle.ask(np.array([2, 0])).tolist() == [[1, 1], [1, 0]]
    assert oracle.ask(np.array([0])).tolist() == [[1, 0]]
    assert oracle.asked == 3


def test_the_oracle_errs_at_its_rate_and_repeats_its_errors() -> None:
    truth = np.tile(np.array([0, 1, -1], np.int8), 4000)
    oracle = Oracle(truth, error_rate=0.2, seed=3)
    answers = oracle.ask(np.arange(12_000))
    assert (answers[truth >= 0] != truth[truth >= 0]).mean() == pytest.approx(0.2, abs=0.02)
    assert (answers[truth < 0] == -1).all()
    np.testing.assert_array_equal(oracle.ask(np.arange(12_000)), answers)


def test_flipped_labels_keep_their_type_and_the_original() -> None:
    labels = np.array([0, 1, -1], np.int8)
    assert flip(labels, 1.0, np.random.default_rng(0)).tolist() == [1, 0, -1]
    assert flip(labels, 0.0, np.random.default_rng(0)).dtype == np.int8
    assert labels.tolist() == [0, 1, -1]
