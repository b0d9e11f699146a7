"""Class activation maps, and that Grad-CAM gives the same for a linear head on pooled maps."""

import numpy as np
import pytest
from keras import ops

from training.evaluation.cam import class_activation_map
from training.evaluation.gradcam import grad_cam

RNG = np.random.default_rng(0)
MAPS = RNG.normal(size=(3, 4, 5, 6)).astype(np.float32)
WEIGHTS = RNG.normal(size=6).astype(np.float32)


def test_the_map_is_the_weighted_sum_of_the_channels() -> None:
    expected = sum(MAPS[..., channel] * WEIGHTS[channel] for channel in range(6))
    assert class_activation_map(MAPS, WEIGHTS) == pytest.approx(expected, abs=1e-5)


def test_its_mean_is_the_logit_without_bias() -> None:
    assert class_activation_map(MAPS, WEIGHTS).mean(axis=(1, 2)) == pytest.approx(
        MAPS.mean(axis=(1, 2)) @ WEIGHTS, abs=1e-5
    )


def test_grad_cam_of_a_pooled_head_is_relu_of_cam_per_place() -> None:
    heat = grad_cam(lambda maps: ops.matmul(ops.mean(maps, axis=(1, 2)), WEIGHTS[:, None]), MAPS)
    assert heat == pytest.approx(np.maximum(class_activation_map(MAPS, WEIGHTS), 0) / 20, abs=1e-6)
    assert (heat > 0).any() and (heat == 0).any()
