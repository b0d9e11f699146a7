"""The layers say what the article says, checked with numbers worked out here."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from training.layers import AttentionFusion, Calibration, MaskedMean, PositionEmbedding, TransformerEncoderLayer

Floats = NDArray[np.float32]

DICE = np.random.default_rng(0)
AVATARS: Floats = DICE.normal(size=(6, 8)).astype(np.float32)
NICKNAMES: Floats = DICE.normal(size=(6, 8)).astype(np.float32)
BOTH = np.ones((6, 2), np.bool_)


def softmax(scores: Floats) -> Any:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def arrays(tensors: Any) -> list[Any]:
    return [keras.ops.convert_to_numpy(tensor) for tensor in tensors]


@pytest.fixture
def fusion() -> AttentionFusion:
    keras.utils.set_random_seed(3)
    layer = AttentionFusion(hidden=16)
    layer([AVATARS, NICKNAMES, BOTH])
    for null in (layer.null_avatar, layer.null_nickname):
        null.assign(np.full(8, 5.0))
    return layer


def test_fusion_is_attention_over_both(fusion: AttentionFusion) -> None:
    fused, weights = arrays(fusion([AVATARS, NICKNAMES, BOTH]))
    z = np.concatenate([AVATARS, NICKNAMES, AVATARS - NICKNAMES], axis=1)
    (first, first_bias), (second, second_bias) = fusion.score_hidden.get_weights(), fusion.score.get_weights()
    expected = softmax(np.maximum(z @ first + first_bias, 0) @ second + second_bias)
    np.testing.assert_allclose(weights, expected, atol=1e-5)
    np.testing.assert_allclose(fused, expected[:, :1] * AVATARS + expected[:, 1:] * NICKNAMES, atol=1e-5)


def test_fusion_weights_sum_to_one(fusion: AttentionFusion) -> None:
    _, weights = arrays(fusion([AVATARS * 100, NICKNAMES, BOTH]))
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert (weights >= 0).all()


@pytest.mark.parametrize(("present", "features"), [((True, False), AVATARS), ((False, True), NICKNAMES)])
def test_fusion_leaves_out_what_is_missing(
    fusion: AttentionFusion, present: tuple[bool, bool], features: Floats
) -> None:
    fused, weights = arrays(fusion([AVATARS, NICKNAMES, np.tile(present, (6, 1))]))
    np.testing.assert_array_equal(weights, np.tile(present, (6, 1)).astype(np.float32))
    np.testing.assert_array_equal(fused, features)


def test_fusion_never_reads_what_is_missing(fusion: AttentionFusion) -> None:
    fused, weights = arrays(fusion([np.full_like(AVATARS, np.nan), NICKNAMES, np.tile([False, True], (6, 1))]))
    np.testing.assert_array_equal(fused, NICKNAMES)
    assert np.isfinite(weights).all()


def test_fusion_of_nothing_is_nothing(fusion: AttentionFusion) -> None:
    fused, weights = arrays(fusion([AVATARS, NICKNAMES, np.zeros((6, 2), np.bool_)]))
    assert not fused.any()
    assert not weights.any()


def test_fusion_teaches_both_towers(fusion: AttentionFusion) -> None:
    avatars, nicknames = tf.Variable(AVATARS), tf.Variable(NICKNAMES)
    with tf.GradientTape() as tape:
        fused, _ = fusion([avatars, nicknames, BOTH])
        loss = tf.reduce_sum(fused**2)
    gradients = tape.gradient(loss, [avatars, nicknames, fusion.score.kernel])
    assert all(np.abs(gradient).min() > 0 for gradient in gradients[:2])
    assert np.abs(gradients[2]).max() > 0


def test_fusion_refuses_features_of_different_sizes() -> None:
    with pytest.raises(ValueError, match="both features need the same known size"):
        AttentionFusion()([AVATARS, NICKNAMES[:, :7], BOTH])


def test_calibration_divides_by_the_temperature_and_adds_the_bias() -> None:
    logits = np.array([[-3.0], [0.0], [2.0]], np.float32)
    probabilities = keras.ops.convert_to_numpy(Calibration(2.0, 0.5, 9.0)([logits, BOTH[:3]]))
    expected = 1 / (1 + np.exp(-logits[:, 0] / 2 - 0.5))
    np.testing.assert_allclose(probabilities, np.stack([1 - expected, expected], axis=1), atol=1e-6)


def test_calibration_gives_the_prior_where_nothing_is_present() -> None:
    present = np.array([[False, False], [True, False], [False, True]])
    prior = float(np.log(0.6 / 0.4))
    probabilities = keras.ops.convert_to_numpy(Calibration(1.0, 0.0, prior)([np.full((3, 1), 4, np.float32), present]))
    np.testing.assert_allclose(probabilities[0], [0.4, 0.6], atol=1e-6)
    np.testing.assert_allclose(probabilities[1:, 1], 1 / (1 + np.exp(-4.0)), atol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_calibration_refuses_a_temperature_that_turns_answers_over(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature must be positive"):
        Calibration(temperature)


STEPS: Floats = DICE.normal(size=(3, 5, 8)).astype(np.float32)
VALID = np.arange(5) < np.array([[1], [3], [5]])


def other_padding(steps: Floats) -> Floats:
    return np.where(VALID[..., None], steps, np.float32(7))


def test_masked_mean_is_over_valid_steps() -> None:
    means = keras.ops.convert_to_numpy(MaskedMean()([STEPS, VALID]))
    expected = [steps[valid].mean(axis=0) for steps, valid in zip(STEPS, VALID, strict=True)]
    np.testing.assert_allclose(means, expected, atol=1e-6)
    np.testing.assert_array_equal(means, keras.ops.convert_to_numpy(MaskedMean()([other_padding(STEPS), VALID])))


def test_encoder_attends_no_padding() -> None:
    keras.utils.set_random_seed(5)
    encoder = TransformerEncoderLayer(heads=2, feed_forward=16)
    first = keras.ops.convert_to_numpy(encoder([STEPS, VALID]))
    second = keras.ops.convert_to_numpy(encoder([other_padding(STEPS), VALID]))
    assert first.shape == STEPS.shape
    np.testing.assert_allclose(first[VALID], second[VALID], atol=1e-6)


def test_encoder_attends_every_valid_step() -> None:
    keras.utils.set_random_seed(5)
    encoder = TransformerEncoderLayer(heads=2, feed_forward=16)
    changed = STEPS.copy()
    changed[2, 4] += 1
    difference = np.abs(encoder([STEPS, VALID]) - encoder([changed, VALID])).max(axis=2)
    assert (difference[2] > 1e-4).all()
    assert not difference[:2].any()


def test_encoder_normalises_last() -> None:
    encoded = keras.ops.convert_to_numpy(TransformerEncoderLayer(heads=2, feed_forward=16)([STEPS * 9, VALID]))
    np.testing.assert_allclose(encoded.mean(axis=2), 0, atol=1e-5)
    np.testing.assert_allclose(encoded.std(axis=2), 1, atol=1e-2)


def test_encoder_refuses_a_size_that_heads_do_not_divide() -> None:
    with pytest.raises(ValueError, match="divisible by 3 heads, got 8"):
        TransformerEncoderLayer(heads=3)([STEPS, VALID])


def test_positions_are_learned_and_added() -> None:
    layer = PositionEmbedding()
    added = keras.ops.convert_to_numpy(layer(STEPS)) - STEPS
    np.testing.assert_allclose(added, np.broadcast_to(layer.positions, STEPS.shape), atol=1e-6)
    assert np.abs(added[0, 0] - added[0, 1]).max() > 0


@pytest.mark.parametrize(
    "layer",
    [AttentionFusion(hidden=16), Calibration(2.0, 0.5), TransformerEncoderLayer(2, 16, 0.3), MaskedMean()],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_come_back_from_their_config(layer: keras.layers.Layer) -> None:
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
