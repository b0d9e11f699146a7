"""From a logit to a probability to be believed: Platt scaling (Platt, 1999; Guo et al., 2017, arXiv 1706.04599)."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

# Of the temperature; few users, all of them right or wrong, would drive it to 0 or beyond all bounds.
_BOUNDS: Final = (0.2, 10.0)
_STEPS: Final = 50


@dataclass(frozen=True)
class Scaling:
    """P(female) = sigmoid(logit / temperature + bias) of users who show anything; of others, the class prior.

    The bias makes up for a gender of which training had fewer different people, and of which it therefore is less
    sure with those it has not seen.
    """

    temperature: float = 1.0
    bias: float = 0.0
    prior_female: float = 0.5

    @property
    def prior_logit(self) -> float:
        return float(np.log(self.prior_female / (1 - self.prior_female)))

    def __call__(self, logits: Floats, present: NDArray[np.bool_]) -> Floats:
        """P(female), [N], from logits, [N, 1], and what is there, bool [N, 2]."""
        return sigmoid(np.where(present.any(axis=1), logits[:, 0] / self.temperature + self.bias, self.prior_logit))


def fit_scaling(logits: Floats, labels: Floats, prior_female: float) -> Scaling:
    """The scaling that minimises the log loss of logits and labels, [N, 1] each: Newton's method.

    One made-up user holds each factor near no scaling at all, so that few users cannot carry it away.

    Raises:
        ValueError: nothing to fit on.
    """
    if not len(logits):
        raise ValueError("no users to fit the scaling on")
    features = np.concatenate([logits, np.ones_like(logits)], axis=1).astype(np.float64)
    factors = np.zeros(2)
    for _ in range(_STEPS):
        p = sigmoid(features @ factors)
        gradient = features.T @ (p - labels[:, 0]) + factors - (1, 0)
        curvature = (features * (p * (1 - p))[:, None]).T @ features + np.eye(2)
        factors = factors - np.linalg.solve(curvature, gradient)
    slope, bias = factors
    temperature = np.clip(1 / max(slope, 1 / _BOUNDS[1]), *_BOUNDS)
    return Scaling(round(float(temperature), 4), round(float(bias), 4), round(prior_female, 4))


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-x)), element by element."""
    probabilities: Floats = 1 / (1 + np.exp(-logits))
    return probabilities
