"""Only confident predictions become labels, of the strong view, and without a gradient."""

import keras
import numpy as np
import pytest
from keras import ops

from training.arrays import FloatsNHWC
from training.curation.fixmatch import FixMatch, pseudo_labels
from training.curation.multitask import UNLABELED


def line() -> keras.Model:
    """The logit of a picture of one pixel is twice its value."""
    network = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    network.set_weights([np.array([[2.0]]), np.zeros(1)])
    return network


def pixels(*values: float) -> FloatsNHWC:
    pictures: FloatsNHWC = np.array(values, np.float32).reshape(-1, 1, 1, 1)
    return pictures


def test_pseudo_labels() -> None:
    probabilities = np.array([[0.96, 0.04], [0.94, 0.06]])
    labels = ops.convert_to_numpy(pseudo_labels(probabilities, 0.95))
    assert labels.tolist() == [[1, 0], [UNLABELED, UNLABELED]]


def test_loss_equals_literal_numbers() -> None:
    """Weak logits 4 and 1 (0.98 and 0.73), strong logits 0: ln 2 where the weak view is confident."""
    model = FixMatch(line(), weight=2.0)
    unlabeled = np.full((2, 1), UNLABELED, np.int8)
    losses = ops.convert_to_numpy(model([pixels(2, 0.5), pixels(0, 0), unlabeled]))
    assert losses.tolist() == pytest.approx([2 * 0.693147, 0], abs=1e-5)
    # The second is labeled: ln(1 + e⁻¹), twice, for one of two pictures has a label.
    losses = ops.convert_to_numpy(model([pixels(2, 0.5), pixels(0, 0), np.array([[UNLABELED], [1]], np.int8)]))
    assert losses.tolist() == pytest.approx([2 * 0.693147, 2 * 0.313262], abs=1e-5)
