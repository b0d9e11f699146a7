"""CBAM is the identity at first, then weights channels before places."""

from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import expit

from training.layers import CBAM

MAPS: Any = np.random.default_rng(0).normal(size=(2, 5, 6, 32)).astype(np.float32)


@pytest.fixture
def trained() -> CBAM:
    rng = np.random.default_rng(1)
    layer = CBAM(ratio=8, kernel_size=3)
    layer.build(MAPS.shape)
    layer.set_weights([rng.normal(size=w.shape, scale=0.5) for w in layer.weights])
    return layer


def slow_channel_gate(layer: CBAM, features: Any) -> Any:
    (first, first_bias), (second, second_bias) = layer.narrow.get_weights(), layer.widen.get_weights()

    def mlp(pooled: Any) -> Any:
        return np.maximum(pooled @ first + first_bias, 0) @ second + second_bias

    return 2 * expit(mlp(features.mean(axis=(1, 2))) + mlp(features.max(axis=(1, 2))))


def slow_spatial_gate(layer: CBAM, features: Any) -> Any:
    (kernel,) = layer.where.get_weights()
    planes = np.stack([features.max(axis=3), features.mean(axis=3)], axis=-1)
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1), (0, 0)))
    gate = np.empty(features.shape[:3])
    for y, x in np.ndindex(gate.shape[1:]):
        gate[:, y, x] = (padded[:, y : y + 3, x : x + 3] * kernel[..., 0]).sum(axis=(1, 2, 3))
    return 2 * expit(gate)


@pytest.mark.parametrize("training", [False, True])
def test_new_module_is_the_identity(training: bool) -> None:
    np.testing.assert_array_equal(CBAM()(MAPS, training=training), MAPS)


def test_channels_are_weighted_before_places(trained: CBAM) -> None:
    weighted = MAPS * slow_channel_gate(trained, MAPS)[:, None, None, :]
    result = keras.ops.convert_to_numpy(trained(MAPS))
    np.testing.assert_allclose(result, weighted * slow_spatial_gate(trained, weighted)[..., None], atol=1e-4)
    placed = MAPS * slow_spatial_gate(trained, MAPS)[..., None]
    other_order = placed * slow_channel_gate(trained, placed)[:, None, None, :]
    assert np.abs(result - other_order).max() > 0.01
    assert trained.channel_gate(MAPS).shape == (2, 1, 1, 32)
    assert trained.spatial_gate(MAPS).shape == (2, 5, 6, 1)


def test_both_gates_learn_in_the_first_step() -> None:
    image = keras.Input((5, 6, 32))
    model = keras.Model(image, CBAM()(image))
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    model.train_on_batch(MAPS, MAPS * 2)
    layer = model.layers[-1]
    assert all(np.abs(part.kernel).max() > 0 for part in (layer.widen, layer.where))


def test_fewer_channels_than_the_ratio_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least as many channels as the ratio 64, got 32"):
        CBAM(ratio=64)(MAPS)
