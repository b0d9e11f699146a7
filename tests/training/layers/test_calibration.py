"""Calibration scales logits; all layers survive serialization."""

import keras
import numpy as np
import pytest
from scipy.special import expit

from tests.support.training.keras_objects import from_own_config
from training.layers import CBAM, AttentionFusion, Calibration, MaskedMean, TransformerEncoderLayer


def test_logit_is_scaled_or_replaced_by_the_prior() -> None:
    logits, present = np.array([[-3], [2], [4], [4]], np.float32), np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool)
    probabilities = keras.ops.convert_to_numpy(Calibration(2.0, 0.5, float(np.log(0.6 / 0.4)))([logits, present]))
    p_female = np.array([expit(-1.0), expit(1.5), expit(2.5), 0.6])
    np.testing.assert_allclose(probabilities, np.stack([1 - p_female, p_female], axis=1), atol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_temperature_must_be_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="expected a positive temperature"):
        Calibration(temperature)


@pytest.mark.parametrize(
    "layer",
    [AttentionFusion(16), Calibration(2.0, 0.5, 0.1), CBAM(8, 3), TransformerEncoderLayer(2, 16, 0.3), MaskedMean()],
    ids=lambda layer: type(layer).__name__,
)
def test_layer_survives_serialization(layer: keras.layers.Layer) -> None:
    from_own_config(layer)
