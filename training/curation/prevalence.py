"""Measure a detector of rare pictures at their true prevalence, on a test set that has more of them.

Each positive of the test set counts π / positives, each negative (1 − π) / negatives. With π = 0.001, one false
positive among 20,000 negatives weighs as much as 5 % of all positives, so each figure needs its interval.
"""

from typing import NamedTuple

import numpy as np

from ..arrays import BoolsN, FloatsN
from ..evaluation.metrics import wilson_interval


class OperatingPoint(NamedTuple):
    """A threshold (positive if score ≥ threshold), and the precision at the prevalence and the recall there."""

    threshold: float
    precision: float
    recall: float


class Curve(NamedTuple):
    """One operating point per distinct score, highest first, so that recall never falls."""

    thresholds: FloatsN
    precision: FloatsN
    recall: FloatsN

    def average_precision(self) -> float:
        """Return the area under the curve: Σ (R_n − R_{n−1}) P_n."""
        return float(np.diff(self.recall, prepend=0) @ self.precision)

    def at_recall(self, recall: float) -> OperatingPoint:
        """Return the highest threshold that reaches a recall of at most 1."""
        return self._point(int(np.searchsorted(self.recall, recall - 1e-9)))

    def at_precision(self, precision: float) -> OperatingPoint:
        """Return the highest recall of a precision; nothing is positive (threshold ∞, recall 0) if none reaches it."""
        reached = np.flatnonzero((self.precision >= precision) & (self.recall > 0))
        return self.at_recall(self.recall[reached[-1]]) if len(reached) else OperatingPoint(np.inf, np.nan, 0.0)

    def _point(self, index: int) -> OperatingPoint:
        return OperatingPoint(float(self.thresholds[index]), float(self.precision[index]), float(self.recall[index]))


def precision_at(recall: float, false_positive_rate: float, prevalence: float) -> float:
    """Return πR / (πR + (1 − π)f), NaN if nothing is positive.

    Args:
        recall: R, the share of positives that are found.
        false_positive_rate: f, the share of negatives taken as positive.
        prevalence: π, the share of positives.
    """
    found, false = prevalence * recall, (1 - prevalence) * false_positive_rate
    return found / (found + false) if found + false else float("nan")


def precision_interval(
    found: int, positives: int, false: int, negatives: int, prevalence: float
) -> tuple[float, float]:
    """Return bounds of the precision from counts on a test set: at the worse and the better ends of both rates.

    The ends are those of 95 % Wilson intervals. A bootstrap cannot do this: without a false positive in the test set,
    none is ever drawn.
    """
    recall_low, recall_high = wilson_interval(found, positives)
    false_low, false_high = wilson_interval(false, negatives)
    return precision_at(recall_low, false_high, prevalence), precision_at(recall_high, false_low, prevalence)


def curve(positive: BoolsN, scores: FloatsN, prevalence: float) -> Curve:
    """Return the precision at the prevalence and the recall at each distinct score.

    Args:
        positive: The truth, `[N]`.
        scores: Higher is more positive, `[N]`.
        prevalence: π, the share of positives where the detector works.

    Raises:
        ValueError: There are no positives, or no negatives.
    """
    positives, negatives = int(np.count_nonzero(positive)), int(np.count_nonzero(~positive))
    if not positives or not negatives:
        raise ValueError(f"expected positives and negatives, got {positives} and {negatives}")
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last_of_ties = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    recall = np.cumsum(positive[order])[last_of_ties] / positives
    false = np.cumsum(~positive[order])[last_of_ties] / negatives
    found = prevalence * recall
    return Curve(falling[last_of_ties], found / (found + (1 - prevalence) * false), recall)
