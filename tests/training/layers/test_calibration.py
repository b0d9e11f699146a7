"""Calibration scales logits; all layers survive serialization."""

import keras
import numpy as np
import pytest

from tests.support.training.keras_objects import from_own_config
from training.evaluation.platt import PlattScaling
from training.layers import CBAM, AttentionFusion, Calibration, MaskedMean, TransformerEncoderLayer

SCALING = PlattScaling((0.5, 0.5), (1.5, -1.0), (2.0, 0.25), prior_female=0.6)


def test_layer_computes_the_scaling() -> None:
    logits, present = np.array([[-3], [2], [4], [4]], np.float32), np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool)
    probabilities = keras.ops.convert_to_numpy(Calibration(SCALING.lines.tolist())([logits, present]))
    p_female = SCALING(logits, present)
    np.testing.assert_allclose(probabilities, np.stack([1 - p_female, p_female], axis=1), atol=1e-6)


def test_lines_must_be_four() -> None:
    with pytest.raises(ValueError, match=r"expected 4 lines of slope and offset, got the shape \(1, 2\)"):
        Calibration([[1.0, 0.0]])


@pytest.mark.parametrize(
    "layer",
    [
        AttentionFusion(16),
        Calibration(SCALING.lines.tolist()),
        CBAM(8, 3),
        TransformerEncoderLayer(2, 16, 0.3),
        MaskedMean(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layer_survives_serialization(layer: keras.layers.Layer) -> None:
    from_own_config(layer)
