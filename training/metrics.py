"""What a table reports, from probabilities and labels; plain numpy."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]
Booleans = NDArray[np.bool_]

# The client's default: whoever is less sure than this is `unknown`.
UNKNOWN_BELOW: Final = 0.6


class Bins(NamedTuple):
    """Users by confidence, [bins] each: how many, and their mean confidence and accuracy, NaN where nobody is."""

    counts: Integers
    confidence: Floats
    accuracy: Floats


class Coverage(NamedTuple):
    """Points, by falling threshold: the share of users as sure as that, and how many decided and right they are."""

    thresholds: Floats
    coverage: Floats
    decided: Integers
    correct: Integers


def wilson_interval(correct: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927).

    Raises:
        ValueError: no samples.
    """
    if count <= 0:
        raise ValueError(f"count must be positive, got {count}")
    share = correct / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return float(centre - half), float(centre + half)


def auc(labels: Floats, scores: Floats) -> float:
    """Area under the ROC curve as Mann-Whitney's U: ties count half. NaN if one class is absent."""
    positives, negatives = scores[labels == 1], scores[labels == 0]
    if not len(positives) or not len(negatives):
        return float("nan")
    below = np.searchsorted(np.sort(negatives), positives, "left")
    not_above = np.searchsorted(np.sort(negatives), positives, "right")
    return float((below + not_above).mean() / 2 / len(negatives))


def reliability(labels: Floats, probabilities: Floats, bins: int = 15) -> Bins:
    """Equal bins of P(the likelier label) from 0 to 1 (Guo et al., 2017)."""
    confidence, correct = _confidence(probabilities), _correct(labels, probabilities)
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    counts, of_bin = np.bincount(bin_of, minlength=bins), np.full((2, bins), np.nan)
    sums = [np.bincount(bin_of, values, bins) for values in (confidence, correct)]
    return Bins(counts, *np.divide(sums, counts, out=of_bin, where=counts > 0))


def expected_calibration_error(labels: Floats, probabilities: Floats, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over the bins of `reliability`, by users (Guo et al., 2017)."""
    counts, confidence, accuracy = reliability(labels, probabilities, bins)
    return float(np.nansum(counts * np.abs(confidence - accuracy)) / len(labels))


def confusion(labels: Floats, probabilities: Floats, shown: Booleans, unknown_below: float = UNKNOWN_BELOW) -> Integers:
    """Users by truth (male, female) and by what the client says (male, female, unknown), int [2, 3].

    It says `unknown` below that probability, and of users who show nothing: `shown`, bool [N], is False.
    """
    unknown = (_confidence(probabilities) < unknown_below) | ~shown
    said = np.where(unknown, 2, (probabilities >= 0.5).astype(int))
    return np.bincount(3 * labels.astype(int) + said, minlength=6).reshape(2, 3)


def coverage_accuracy(labels: Floats, probabilities: Floats, shown: Booleans) -> Coverage:
    """What `unknown` buys: one point for every distinct confidence taken as the threshold.

    Users who show nothing, where `shown`, bool [N], is False, count among all but are never decided
    (El-Yaniv and Wiener, 2010: the risk-coverage curve).
    """
    falling, point = np.unique(-_confidence(probabilities)[shown], return_inverse=True)
    decided = np.cumsum(np.bincount(point))
    correct = np.cumsum(np.bincount(point, _correct(labels, probabilities)[shown])).astype(int)
    return Coverage(-falling, decided / len(labels), decided, correct)


def log_loss(labels: Floats, probabilities: Floats) -> float:
    """Mean negative log likelihood in nats."""
    clipped = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return float(-np.mean(labels * np.log(clipped) + (1 - labels) * np.log(1 - clipped)))


# What `summary` reports, by name.
Summary = dict[str, Any]


def summary(labels: Floats, probabilities: Floats) -> Summary:
    """Accuracy with its interval, AUC (None if one class is absent), calibration error and log loss of P(female)."""
    correct = int(_correct(labels, probabilities).sum())
    low, high = wilson_interval(correct, len(labels))
    area = auc(labels, probabilities)
    return {
        "users": len(labels),
        "accuracy": round(correct / len(labels), 4),
        "accuracy_low": round(low, 4),
        "accuracy_high": round(high, 4),
        "auc": None if np.isnan(area) else round(area, 4),
        "ece": round(expected_calibration_error(labels, probabilities), 4),
        "log_loss": round(log_loss(labels, probabilities), 4),
    }


def _confidence(probabilities: Floats) -> Floats:
    return np.maximum(probabilities, 1 - probabilities)


def _correct(labels: Floats, probabilities: Floats) -> Booleans:
    right: Booleans = (probabilities >= 0.5) == (labels == 1)
    return right
