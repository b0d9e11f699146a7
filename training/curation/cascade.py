"""A cascade of two detectors: positive if both fire, and the second looks only at what the first let through."""

from typing import NamedTuple

import numpy as np

from ..arrays import BoolsN, FloatsN
from .prevalence import Curve, curve


class Thresholds(NamedTuple):
    """A detector fires at a score of at least its threshold. Precision (at the prevalence) and recall are of both."""

    first: float
    second: float
    precision: float
    recall: float


def fires(first: FloatsN, second: FloatsN, thresholds: Thresholds) -> BoolsN:
    """Return whether both detectors fire, `[N]`, from their scores `[N]`."""
    return (first >= thresholds.first) & (second >= thresholds.second)


def tune(first: FloatsN, second: FloatsN, positive: BoolsN, precision: float, prevalence: float) -> Thresholds | None:
    """Choose both thresholds together: the highest recall of those pairs that reach a precision at a prevalence.

    Only scores of positives can be best thresholds: up to the next positive, a higher threshold loses negatives only.
    Of equal recalls, the higher precision is chosen, then the higher first threshold, which calls the second detector
    less.

    Args:
        first: Scores of the first detector, `[N]`.
        second: Scores of the second detector, `[N]`.
        positive: The truth, `[N]`.
        precision: The precision to reach.
        prevalence: The share of positives where the cascade works.

    Returns:
        The thresholds, or None if no pair reaches the precision.

    Raises:
        ValueError: There are no positives, or no negatives.
    """
    best: Thresholds | None = None
    for threshold in np.unique(first[positive])[::-1]:
        passed = np.where(first >= threshold, second, -np.inf)
        points = curve(positive, passed, prevalence)
        passes = points.thresholds > -np.inf
        point = Curve(*(column[passes] for column in points)).at_precision(precision)
        if point.recall and (best is None or (point.recall, point.precision) > (best.recall, best.precision)):
            best = Thresholds(float(threshold), *point)
    return best
