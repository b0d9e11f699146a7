"""Both fusions equal NumPy and never read a missing feature."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from training.layers import AttentionFusion, ConcatFusion

RNG = np.random.default_rng(0)
AVATARS: Any = RNG.normal(size=(4, 8)).astype(np.float32)
NICKNAMES: Any = RNG.normal(size=(4, 8)).astype(np.float32)
BOTH = np.ones((4, 2), np.bool_)
PRESENT = np.array([[True, True], [True, False], [False, True], [False, False]])


def with_nulls(layer: Any) -> Any:
    keras.utils.set_random_seed(3)
    layer([AVATARS, NICKNAMES, BOTH])
    layer.null_avatar.assign(np.full(8, 5.0))
    layer.null_nickname.assign(np.full(8, -3.0))
    return layer


@pytest.fixture
def attention() -> Any:
    return with_nulls(AttentionFusion(hidden=16))


@pytest.fixture
def concat() -> Any:
    return with_nulls(ConcatFusion())


def fuse(layer: Any, avatars: Any, nicknames: Any, present: Any) -> list[Any]:
    return [keras.ops.convert_to_numpy(tensor) for tensor in layer([avatars, nicknames, present])]


def test_attention_weights_both_features(attention: Any) -> None:
    fused, weights = fuse(attention, AVATARS, NICKNAMES, BOTH)
    z = np.concatenate([AVATARS, NICKNAMES, AVATARS - NICKNAMES], axis=1)
    (first, first_bias), (second, second_bias) = attention.score_hidden.get_weights(), attention.score.get_weights()
    expected = softmax(np.maximum(z @ first + first_bias, 0) @ second + second_bias, axis=1)
    np.testing.assert_allclose(weights, expected, atol=1e-5)
    np.testing.assert_allclose(fused, expected[:, :1] * AVATARS + expected[:, 1:] * NICKNAMES, atol=1e-5)


def test_attention_gives_a_missing_feature_weight_0(attention: Any) -> None:
    fused, weights = fuse(attention, AVATARS, NICKNAMES, PRESENT)
    np.testing.assert_array_equal(weights[1:], [[1, 0], [0, 1], [0, 0]])
    np.testing.assert_array_equal(fused[1:], [AVATARS[1], NICKNAMES[2], np.zeros(8)])


def test_attention_trains_both_towers(attention: Any) -> None:
    avatars, nicknames = tf.Variable(AVATARS), tf.Variable(NICKNAMES)
    with tf.GradientTape() as tape:
        fused, _ = attention([avatars, nicknames, BOTH])
        loss = tf.reduce_sum(fused**2)
    *towers, score = tape.gradient(loss, [avatars, nicknames, attention.score.kernel])
    assert all(np.abs(gradient).min() > 0 for gradient in towers)
    assert np.abs(score).max() > 0


def test_concat_joins_features_and_nulls(concat: Any) -> None:
    fused, weights = fuse(concat, AVATARS, NICKNAMES, PRESENT)
    kernel, bias = concat.join.get_weights()
    avatars, nicknames = np.where(PRESENT[:, :1], AVATARS, 5), np.where(PRESENT[:, 1:], NICKNAMES, -3)
    expected = np.maximum(np.concatenate([avatars, nicknames], axis=1) @ kernel + bias, 0)
    np.testing.assert_allclose(fused, expected, atol=1e-5)
    assert weights.tolist() == [[0.5, 0.5], [1, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize("fusion", ["attention", "concat"])
def test_missing_feature_is_never_read(fusion: str, request: pytest.FixtureRequest) -> None:
    layer = request.getfixturevalue(fusion)
    for tensor in fuse(layer, np.full_like(AVATARS, np.nan), NICKNAMES, np.tile([False, True], (4, 1))):
        assert np.isfinite(tensor).all()


@pytest.mark.parametrize("fusion", [AttentionFusion, ConcatFusion])
def test_features_of_different_sizes_are_an_error(fusion: Any) -> None:
    with pytest.raises(ValueError, match="expected two features of the same known size"):
        fusion()([AVATARS, NICKNAMES[:, :7], BOTH])
