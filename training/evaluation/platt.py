"""Platt scaling of logits (Platt, 1999; Guo et al., 2017, section 4.1, https://arxiv.org/abs/1706.04599).

scikit-learn's `CalibratedClassifierCV` fits no prior around the identity, which keeps few users from an extreme fit.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from ..arrays import BoolsN2, FloatsN, FloatsN1

# Few users, all correct or all wrong, would drive the temperature to 0 or to infinity.
MIN_TEMPERATURE: Final = 0.2
MAX_TEMPERATURE: Final = 10.0
# A prior of 0 or 1 has an infinite logit.
MIN_PRIOR: Final = 1e-4


@dataclass(frozen=True)
class PlattScaling:
    """P(female) = σ(logit / temperature + bias), or the class prior if no modality is present.

    The bias corrects for a gender with fewer distinct people in training, on which the model is less confident.
    """

    temperature: float = 1.0
    bias: float = 0.0
    prior_female: float = 0.5

    @property
    def prior_logit(self) -> float:
        return float(logit(self.prior_female))

    def __call__(self, logits: FloatsN1, present: BoolsN2) -> FloatsN:
        """Return P(female) `[N]` for logits `[N, 1]` and the present modalities `[N, 2]`."""
        p_female: FloatsN = expit(
            np.where(present.any(axis=1), logits[:, 0] / self.temperature + self.bias, self.prior_logit)
        )
        return p_female


def fit_platt(logits: FloatsN1, labels: FloatsN1, prior_female: float) -> PlattScaling:
    """Minimize the log loss over temperature and bias.

    A unit Gaussian prior on 1 / temperature and on the bias, centered on no scaling, keeps few users from an
    extreme fit.

    Raises:
        ValueError: There are no users.
    """
    if not len(logits):
        raise ValueError("expected at least one user to fit the scaling on, got none")
    x, y = logits[:, 0].astype(np.float64), labels[:, 0].astype(np.float64)

    def loss(parameters: FloatsN) -> tuple[float, FloatsN]:
        slope, bias = parameters
        z = slope * x + bias
        error = expit(z) - y
        value = np.sum(np.logaddexp(0, z) - y * z) + ((slope - 1) ** 2 + bias**2) / 2
        return float(value), np.array([error @ x + slope - 1, error.sum() + bias])

    slope, bias = minimize(loss, (1.0, 0.0), jac=True, method="BFGS").x
    temperature = np.clip(1 / max(slope, 1 / MAX_TEMPERATURE), MIN_TEMPERATURE, MAX_TEMPERATURE)
    prior = np.clip(prior_female, MIN_PRIOR, 1 - MIN_PRIOR)
    return PlattScaling(round(float(temperature), 4), round(float(bias), 4), round(float(prior), 4))
