"""Platt scaling of logits (Platt, 1999; Guo et al., 2017, section 4.1, https://arxiv.org/abs/1706.04599).

scikit-learn's `CalibratedClassifierCV` fits no prior around the identity, which keeps few users from an extreme fit.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from ..arrays import BoolsN, BoolsN2, FloatsN, FloatsN1

# Few users, all correct or all wrong, would drive the slope to infinity or to 0.
MIN_SLOPE: Final = 0.1
MAX_SLOPE: Final = 5.0
# A prior of 0 or 1 has an infinite logit.
MIN_PRIOR: Final = 1e-4

# Slope and offset of one pattern of present modalities.
Line = tuple[float, float]
# One line for each pattern, [4, 2].
Lines = NDArray[np.float64]
IDENTITY: Final[Line] = (1.0, 0.0)


@dataclass(frozen=True)
class PlattScaling:
    """P(female) = σ(slope · logit + offset), with a line for each pattern of present modalities.

    One modality alone leaves more doubt than its features show, so the patterns need different slopes. The offset
    corrects for a gender with fewer distinct people in training, on which the model is less confident. Without any
    modality, P(female) is the class prior.
    """

    nickname_only: Line = IDENTITY
    avatar_only: Line = IDENTITY
    both: Line = IDENTITY
    prior_female: float = 0.5

    @property
    def lines(self) -> Lines:
        """The line of each pattern; see `pattern_of` for the order."""
        nothing = (0.0, float(logit(self.prior_female)))
        return np.array([nothing, self.nickname_only, self.avatar_only, self.both])

    def __call__(self, logits: FloatsN1, present: BoolsN2) -> FloatsN:
        """Return P(female) `[N]` for logits `[N, 1]` and the present modalities `[N, 2]`."""
        slope, offset = self.lines[pattern_of(present)].T
        p_female: FloatsN = expit(slope * logits[:, 0] + offset)
        return p_female


def pattern_of(present: BoolsN2) -> NDArray[np.int64]:
    """Number the patterns of present modalities: 0 nothing, 1 nickname only, 2 avatar only, 3 both."""
    patterns: NDArray[np.int64] = present @ np.array([2, 1])
    return patterns


def fit_platt(logits: FloatsN1, present: BoolsN2, labels: FloatsN1, prior_female: float) -> PlattScaling:
    """Minimize the log loss over slope and offset, for all users and then for each pattern.

    A Gaussian prior keeps few users from an extreme fit: around the identity for all users, with a standard deviation
    of 1, and around their fit for each pattern, with one of 1/4.

    Args:
        logits: Logits of P(female), [N, 1].
        present: The present modalities, [N, 2]. Users without any do not count.
        labels: 1 for female, or the probability of it, [N, 1].
        prior_female: The class prior.

    Raises:
        ValueError: No user has a modality.
    """
    patterns = pattern_of(present)
    if not patterns.any():
        raise ValueError("expected at least one user to fit the scaling on, got none")
    x, y = logits[:, 0].astype(np.float64), labels[:, 0].astype(np.float64)

    def fit(rows: BoolsN, center: Line, deviation: float) -> Line:
        slope, offset = _fit_line(x[rows], y[rows], center, deviation)
        return round(float(np.clip(slope, MIN_SLOPE, MAX_SLOPE)), 4), round(offset, 4)

    overall = fit(patterns > 0, IDENTITY, 1)
    nickname_only, avatar_only, both = (fit(patterns == pattern, overall, 1 / 4) for pattern in (1, 2, 3))
    prior = round(float(np.clip(prior_female, MIN_PRIOR, 1 - MIN_PRIOR)), 4)
    return PlattScaling(nickname_only, avatar_only, both, prior)


def _fit_line(x: FloatsN, y: FloatsN, center: Line, deviation: float) -> Line:
    def loss(line: FloatsN) -> tuple[float, FloatsN]:
        z, shift = line[0] * x + line[1], (line - center) / deviation
        error = expit(z) - y
        value = np.sum(np.logaddexp(0, z) - y * z) + shift @ shift / 2
        return float(value), np.array([error @ x, error.sum()]) + shift / deviation

    slope, offset = minimize(loss, center, jac=True, method="BFGS").x
    return float(slope), float(offset)
