"""CBAM: identity at first, then channels before places, as worked out with NumPy."""

from typing import Any

import keras
import numpy as np
import pytest

from training.layers import CBAM

MAP: Any = np.random.default_rng(0).normal(size=(2, 5, 6, 32)).astype(np.float32)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


@pytest.fixture
def trained() -> CBAM:
    """A module whose weights are no longer those it starts with."""
    dice = np.random.default_rng(1)
    layer = CBAM(ratio=8, kernel_size=3)
    layer.build(MAP.shape)
    layer.set_weights([dice.normal(size=w.shape, scale=0.5) for w in layer.weights])
    return layer


def slow_channel_gate(layer: CBAM, features: Any) -> Any:
    (first, first_bias), (second, second_bias) = layer.narrow.get_weights(), layer.widen.get_weights()

    def mlp(pooled: Any) -> Any:
        return np.maximum(pooled @ first + first_bias, 0) @ second + second_bias

    return 2 * sigmoid(mlp(features.mean(axis=(1, 2))) + mlp(features.max(axis=(1, 2))))


def slow_spatial_gate(layer: CBAM, features: Any) -> Any:
    (kernel,) = layer.where.get_weights()
    planes = np.stack([features.max(axis=3), features.mean(axis=3)], axis=-1)
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1), (0, 0)))
    gate = np.empty(features.shape[:3])
    for y, x in np.ndindex(gate.shape[1:]):
        gate[:, y, x] = (padded[:, y : y + 3, x : x + 3] * kernel[..., 0]).sum(axis=(1, 2, 3))
    return 2 * sigmoid(gate)


@pytest.mark.parametrize("training", [False, True])
def test_a_new_module_changes_nothing(training: bool) -> None:
    np.testing.assert_array_equal(CBAM()(MAP, training=training), MAP)


def test_channels_then_places(trained: CBAM) -> None:
    weighed = MAP * slow_channel_gate(trained, MAP)[:, None, None, :]
    expected = weighed * slow_spatial_gate(trained, weighed)[..., None]
    found = keras.ops.convert_to_numpy(trained(MAP))
    assert found.shape == MAP.shape
    np.testing.assert_allclose(found, expected, atol=1e-4)
    placed = MAP * slow_spatial_gate(trained, MAP)[..., None]
    other_order = placed * slow_channel_gate(trained, placed)[:, None, None, :]
    assert np.abs(found - other_order).max() > 0.01


def test_gates_have_one_value_for_each_channel_or_place(trained: CBAM) -> None:
    assert trained.channel_gate(MAP).shape == (2, 1, 1, 32)
    assert trained.spatial_gate(MAP).shape == (2, 5, 6, 1)


def test_both_gates_learn_from_the_first_step() -> None:
    image = keras.Input((5, 6, 32))
    model = keras.Model(image, CBAM()(image))
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    model.train_on_batch(MAP, MAP * 2)
    layer = model.layers[-1]
    assert all(np.abs(part.kernel).max() > 0 for part in (layer.widen, layer.where))


def test_a_map_of_fewer_channels_than_the_ratio_is_refused() -> None:
    with pytest.raises(ValueError, match="a ratio of 64 needs as many channels, got 32"):
        CBAM(ratio=64)(MAP)


def test_it_comes_back_from_its_config(trained: CBAM) -> None:
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(trained))
    assert again.get_config() == trained.get_config()
    assert (again.ratio, again.kernel_size) == (8, 3)
