"""The masked loss by literal numbers; heads share the trunk; attention starts as the identity."""

import keras
import numpy as np
import pytest
from keras import ops

from training.curation.multitask import UNLABELED, build_network, cross_entropies, multitask_losses, predict
from training.curation.network import Trunk

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
TRUNK = Trunk(size=16, width=8)
# ln(1 + eˣ) at 0 and 1.
LN_2, SOFTPLUS_1 = 0.693147, 1.313262


def test_no_label_has_no_loss() -> None:
    losses = cross_entropies(np.array([[0.0, 1.0, 7.0]], np.float32), np.array([[1, 0, UNLABELED]], np.int8))
    assert ops.convert_to_numpy(losses)[0].tolist() == pytest.approx([LN_2, SOFTPLUS_1, 0], abs=1e-5)


def test_cross_entropy_does_not_overflow() -> None:
    losses = cross_entropies(np.array([[200.0, -200.0]], np.float32), np.array([[0, 1]], np.int8))
    assert ops.convert_to_numpy(losses)[0].tolist() == pytest.approx([200, 200])


def test_each_attribute_is_averaged_over_its_labeled_pictures() -> None:
    """Attribute 1 has two labels, attribute 2 one: the sum of both means, whatever the size of the batch."""
    logits = np.array([[0.0, 1.0], [1.0, 9.0], [5.0, 5.0]], np.float32)
    labels = np.array([[1, 0], [0, UNLABELED], [UNLABELED, UNLABELED]], np.int8)
    losses = ops.convert_to_numpy(multitask_losses(logits, labels))
    assert losses.mean() == pytest.approx((LN_2 + SOFTPLUS_1) / 2 + SOFTPLUS_1, abs=1e-5)
    assert losses[2] == 0


def test_an_attribute_without_labels_adds_nothing() -> None:
    labels = np.array([[1, UNLABELED]], np.int8)
    assert float(multitask_losses(np.zeros((1, 2), np.float32), labels)[0]) == pytest.approx(LN_2, abs=1e-5)


def test_predictions_are_probabilities_of_each_attribute() -> None:
    probabilities = predict(build_network(TRUNK, 4), PICTURES)
    assert probabilities.shape == (3, 4)
    assert (probabilities > 0).all() and (probabilities < 1).all()


def test_attention_starts_as_the_identity() -> None:
    plain, attentive = (build_network(Trunk(16, 8, blocks=2, cbam=each), 2) for each in (False, True))
    with_attention = {weight.path: weight for weight in attentive.weights}
    for weight in plain.weights:
        with_attention[weight.path].assign(weight)
    assert len(attentive.weights) == len(plain.weights) + 8 * 5
    np.testing.assert_allclose(predict(attentive, PICTURES), predict(plain, PICTURES), atol=1e-6)


def test_moving_statistics_follow_a_short_training() -> None:
    norms = [each for each in build_network(TRUNK, 1).layers if isinstance(each, keras.layers.BatchNormalization)]
    assert {each.momentum for each in norms} == {0.9}
