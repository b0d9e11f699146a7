"""Erasing spares positives; views keep the range and differ; nothing changes outside of training."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from training.arrays import FloatsN
from training.curation.augmentation import RandomErasing, strong_view, weak_view

BLACK = np.full((400, 32, 32, 3), -1, np.float32)
PICTURES = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)


def erased_areas(label: int) -> FloatsN:
    """The erased share of each of 400 pictures, in order."""
    labels = np.full((400, 2), label, np.int8)
    pictures = ops.convert_to_numpy(RandomErasing(seed=3)([BLACK, labels], training=True))
    areas: FloatsN = np.sort((pictures >= 0).all(axis=-1).mean(axis=(1, 2)))
    return areas


@pytest.mark.parametrize(("label", "largest"), [(1, 0.15), (0, 0.33), (-1, 0.33)], ids=["positive", "negative", "none"])
def test_erased_area_depends_on_the_label(label: int, largest: float) -> None:
    areas = erased_areas(label)
    # Whole pixels, so up to one row and one column more.
    assert 0.8 * largest < areas[-1] < largest + 0.04
    assert 0.4 < (areas > 0).mean() < 0.6
    assert areas[areas > 0].min() > 0.01


def test_nothing_is_erased_outside_of_training() -> None:
    pictures = RandomErasing(seed=3)([PICTURES, np.zeros((4, 1), np.int8)], training=False)
    np.testing.assert_array_equal(ops.convert_to_numpy(pictures), PICTURES)


def test_views_differ_and_keep_the_range_in_training_only() -> None:
    pictures, labels = keras.Input((32, 32, 3)), keras.Input((1,), dtype="int8")
    views = [strong_view(pictures, labels, 1), strong_view(pictures, labels, 11), weak_view(pictures, 21)]
    model, inputs = keras.Model([pictures, labels], views), [PICTURES, np.zeros((4, 1), np.int8)]
    drawn = [ops.convert_to_numpy(view) for view in model(inputs, training=True)]
    assert all(view.min() >= 0 and view.max() <= 255.01 and view.shape == PICTURES.shape for view in drawn)
    assert all(np.abs(view - other).max() > 10 for view, other in itertools.combinations([*drawn, PICTURES], 2))
    for view in model(inputs, training=False):
        np.testing.assert_array_equal(ops.convert_to_numpy(view), PICTURES)
