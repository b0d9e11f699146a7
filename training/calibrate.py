"""Fit the one parameter of temperature scaling (Guo et al., 2017, arXiv 1706.04599)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import log_loss


def fit_temperature(logits: NDArray[Any], labels: NDArray[Any], low: float = 0.2, high: float = 10.0) -> float:
    """The T that minimises the log loss of sigmoid(logit / T): golden-section search on log T.

    Raises:
        ValueError: nothing to fit on.
    """
    if not len(logits):
        raise ValueError("no validation users to fit the temperature on; give some rows the split 'validation'")
    ratio = (np.sqrt(5) - 1) / 2
    a, b = np.log(low), np.log(high)
    while b - a > 1e-4:
        c, d = b - ratio * (b - a), a + ratio * (b - a)
        if _loss(logits, labels, c) < _loss(logits, labels, d):
            b = d
        else:
            a = c
    return float(np.exp((a + b) / 2))


def sigmoid(logits: NDArray[Any]) -> NDArray[Any]:
    """1 / (1 + exp(-x)), element by element."""
    probabilities: NDArray[Any] = 1 / (1 + np.exp(-logits))
    return probabilities


def _loss(logits: NDArray[Any], labels: NDArray[Any], log_temperature: float) -> float:
    return log_loss(labels, sigmoid(logits / np.exp(log_temperature)))
