"""The text tower's layers ignore padding."""

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from training.layers import MaskedMean, PositionEmbedding, TransformerEncoderLayer

Floats = NDArray[np.float32]

STEPS: Floats = np.random.default_rng(0).normal(size=(3, 5, 8)).astype(np.float32)
VALID = np.arange(5) < np.array([[1], [3], [5]])
OTHER_PADDING: Floats = np.where(VALID[..., None], STEPS, np.float32(7))


@pytest.fixture
def encoder() -> TransformerEncoderLayer:
    keras.utils.set_random_seed(5)
    return TransformerEncoderLayer(heads=2, feed_forward=16)


def test_masked_mean_is_over_valid_steps() -> None:
    means = keras.ops.convert_to_numpy(MaskedMean()([STEPS, VALID]))
    expected = [steps[valid].mean(axis=0) for steps, valid in zip(STEPS, VALID, strict=True)]
    np.testing.assert_allclose(means, expected, atol=1e-6)
    np.testing.assert_array_equal(means, keras.ops.convert_to_numpy(MaskedMean()([OTHER_PADDING, VALID])))


def test_encoder_does_not_attend_to_padding(encoder: TransformerEncoderLayer) -> None:
    first, second = (keras.ops.convert_to_numpy(encoder([steps, VALID])) for steps in (STEPS, OTHER_PADDING))
    assert first.shape == STEPS.shape
    np.testing.assert_allclose(first[VALID], second[VALID], atol=1e-6)


def test_encoder_attends_to_every_valid_step(encoder: TransformerEncoderLayer) -> None:
    changed = STEPS.copy()
    changed[2, 4] += 1
    difference = np.abs(encoder([STEPS, VALID]) - encoder([changed, VALID])).max(axis=2)
    assert (difference[2] > 1e-4).all()
    assert not difference[:2].any()


def test_encoder_normalizes_last(encoder: TransformerEncoderLayer) -> None:
    encoded = keras.ops.convert_to_numpy(encoder([STEPS * 9, VALID]))
    np.testing.assert_allclose(encoded.mean(axis=2), 0, atol=1e-5)
    np.testing.assert_allclose(encoded.std(axis=2), 1, atol=1e-2)


def test_heads_must_divide_the_feature_size() -> None:
    with pytest.raises(ValueError, match="divisible by 3 heads, got 8"):
        TransformerEncoderLayer(heads=3)([STEPS, VALID])


def test_positions_are_added() -> None:
    layer = PositionEmbedding(5)
    added = keras.ops.convert_to_numpy(layer(STEPS)) - STEPS
    np.testing.assert_allclose(added, np.broadcast_to(layer.positions, STEPS.shape), atol=1e-6)
    assert np.abs(added[0, 0] - added[0, 1]).max() > 0
    np.testing.assert_array_equal(layer(STEPS[:, :2]), np.asarray(layer(STEPS))[:, :2])
