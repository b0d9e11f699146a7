"""What can be known of synthetic users, and how near a model comes to it; plain numpy."""

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import Summary, summary, wilson_interval

Floats = NDArray[np.floating[Any]]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Users:
    """The truth about N test users: [N] each."""

    female: Booleans
    # The exact P(female | what is shown).
    posterior: Floats
    # Whether avatar or nickname says anything, right or wrong.
    determinable: Booleans

    @property
    def ceiling(self) -> float:
        """The `ceiling` of these users."""
        return ceiling(self.posterior)


def ceiling(posterior: Floats) -> float:
    """The accuracy to expect of who knows the posteriors, [N]: nothing can beat it but by chance."""
    return float(np.maximum(posterior, 1 - posterior).mean())


def measure(users: Users, probabilities: Floats) -> Summary:
    """The metrics of one model's P(female), [N], and how they stand to the ceiling.

    `leak` is True where the accuracy is more than three standard deviations above what the users' posteriors
    allow for any decisions: then the model knows something that is not shown.
    """
    correct = (probabilities >= 0.5) == users.female
    determinable = int(users.determinable.sum())
    low, high = wilson_interval(int(correct[users.determinable].sum()), determinable)
    return {
        **summary(users.female.astype(float), probabilities),
        "share_of_ceiling": round(float(correct.mean()) / users.ceiling, 4),
        "determinable_users": determinable,
        "determinable_accuracy": round(float(correct[users.determinable].mean()), 4),
        "determinable_low": round(low, 4),
        "determinable_high": round(high, 4),
        "leak": bool(correct.mean() > users.ceiling + 3 * _spread(users.posterior)),
    }


def mcnemar(correct: Booleans, other: Booleans) -> float:
    """Exact two-sided p-value that two models on the same users, [N], are equally often right (McNemar, 1947)."""
    only_one, only_other = int((correct & ~other).sum()), int((other & ~correct).sum())
    differing = only_one + only_other
    tail = sum(comb(differing, k) for k in range(min(only_one, only_other) + 1))
    return min(1.0, 2 * tail / (1 << differing))


def _spread(posterior: Floats) -> float:
    """Standard deviation of the accuracy of who always decides for the likelier gender."""
    return float(np.sqrt(np.sum(posterior * (1 - posterior))) / len(posterior))
