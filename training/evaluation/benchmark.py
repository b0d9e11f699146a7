"""Compare a model with the best accuracy that is possible on synthetic users."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from ..arrays import BoolsN, FloatsN
from .metrics import Summary, summary, wilson_interval


@dataclass(frozen=True)
class GroundTruth:
    """Labels and exact posteriors P(female | inputs) of synthetic users.

    A user is determinable if avatar or nickname carries a signal, correct or misleading.
    """

    female: BoolsN
    posterior: FloatsN
    determinable: BoolsN

    @property
    def ceiling(self) -> float:
        """The expected accuracy of the best possible model on these users."""
        return ceiling(self.posterior)


def ceiling(posterior: FloatsN) -> float:
    """Return the expected accuracy of the Bayes-optimal decision."""
    return float(np.maximum(posterior, 1 - posterior).mean())


def measure(truth: GroundTruth, p_female: FloatsN) -> Summary:
    """Return the metrics of a model, also relative to the ceiling and on the determinable users.

    `leak` is True if the accuracy is more than three standard deviations above the ceiling: the model then knows
    something that its inputs do not contain.
    """
    correct = (p_female >= 0.5) == truth.female
    determinable = int(truth.determinable.sum())
    low, high = wilson_interval(int(correct[truth.determinable].sum()), determinable)
    deviation = np.sqrt(np.sum(truth.posterior * (1 - truth.posterior))) / len(truth.posterior)
    return {
        **summary(truth.female.astype(float), p_female),
        "share_of_ceiling": round(float(correct.mean()) / truth.ceiling, 4),
        "determinable_users": determinable,
        "determinable_accuracy": round(float(correct[truth.determinable].mean()), 4),
        "determinable_low": round(low, 4),
        "determinable_high": round(high, 4),
        "leak": bool(correct.mean() > truth.ceiling + 3 * deviation),
    }


def mcnemar(correct: BoolsN, other: BoolsN) -> float:
    """Return the exact two-sided p-value that two models on the same users are equally accurate (McNemar, 1947)."""
    only_one, only_other = int((correct & ~other).sum()), int((other & ~correct).sum())
    discordant = only_one + only_other
    return float(binomtest(only_one, discordant).pvalue) if discordant else 1.0
