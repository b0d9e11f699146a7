"""The compressor equals NumPy, compresses every picture of a history alike, and survives saving."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from training.layers import Compressor

VECTORS: Any = np.random.default_rng(0).normal(size=(3, 5, 16)).astype(np.float32)


@pytest.fixture
def compressor() -> Any:
    keras.utils.set_random_seed(1)
    layer = Compressor((8, 4, 2))
    layer.build((None, 16))
    for weight, slope in zip(layer.slopes, (0.1, 0.2, 0.3), strict=True):
        weight.assign(np.full(weight.shape, slope))
    return layer


def test_each_dense_layer_is_followed_by_a_prelu(compressor: Any) -> None:
    expected = VECTORS
    for dense, slope in zip(compressor.dense, (0.1, 0.2, 0.3), strict=True):
        weights, bias = dense.get_weights()
        expected = expected @ weights + bias
        expected = np.where(expected > 0, expected, slope * expected)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(compressor(VECTORS)), expected, atol=1e-5)


def test_article_has_1_066_060_parameters_and_the_slopes() -> None:
    layer = Compressor()
    layer.build((None, 4096))
    assert layer.count_params() == 1_066_060 + 256 + 64 + 12


def test_saved_model_compresses_alike(compressor: Any, tmp_path: Path) -> None:
    inputs = keras.Input((None, 16))
    model = keras.Model(inputs, compressor(inputs))
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(restored.predict(VECTORS, verbose=0), model.predict(VECTORS, verbose=0))
    assert model.output_shape == (None, None, 2)


@pytest.mark.parametrize("units", [[], ()])
def test_no_units_are_refused(units: Any) -> None:
    with pytest.raises(ValueError, match="at least one dense layer"):
        Compressor(units)
