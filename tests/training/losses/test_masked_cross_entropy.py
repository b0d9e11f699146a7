"""The loss of ranked lists is the mean over real places."""

import keras
import numpy as np
from sklearn.metrics import log_loss

from training.losses.masked_cross_entropy import PADDING, masked_cross_entropy


def value(liked: list[list[float]], logits: list[list[float]]) -> float:
    tensors = (np.array(values, np.float32) for values in (liked, logits))
    return float(keras.ops.convert_to_numpy(masked_cross_entropy(*tensors)))


def test_loss_is_the_log_loss() -> None:
    logits = np.array([0.5, -2.0, 3.0])
    expected = log_loss([1, 0, 0], 1 / (1 + np.exp(-logits)))
    assert abs(value([[1, 0, 0]], [logits.tolist()]) - expected) < 1e-6


def test_padding_does_not_count() -> None:
    assert value([[1, PADDING], [0, 0]], [[0.5, 100.0], [1.0, 2.0]]) == value([[1, 0, 0]], [[0.5, 1.0, 2.0]])


def test_large_logits_do_not_overflow() -> None:
    assert value([[0, 1]], [[1e4, -1e4]]) == 1e4


def test_only_padding_is_zero() -> None:
    assert value([[PADDING, PADDING]], [[3.0, 4.0]]) == 0
