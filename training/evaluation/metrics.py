"""What a table reports, from probabilities and labels; plain numpy."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genderprep.tensors import LABELS

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]
Booleans = NDArray[np.bool_]
# What `answers` says of who is neither of the labels to it.
UNKNOWN: Final = len(LABELS)


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


def confusion(labels: Floats, probabilities: Floats, shown: Booleans, unknown_below: float) -> Integers:
    """Users by truth (male, female) and by what the client says (male, female, unknown), int [2, 3].

    It says `unknown` below that probability, and of users who show nothing: `shown`, bool [N], is False.
    """
    said = answers(probabilities, shown, unknown_below)
    return np.bincount(3 * labels.astype(int) + said, minlength=6).reshape(2, 3)


def answers(probabilities: Floats, shown: Booleans, unknown_below: float) -> Integers:
    """What the client says of each user, int [N]: 0 male, 1 female, 2 `UNKNOWN`."""
    unknown = (_confidence(probabilities) < unknown_below) | ~shown
    return np.where(unknown, UNKNOWN, (probabilities >= 0.5).astype(int))


def coverage_accuracy(labels: Floats, probabilities: Floats, shown: Booleans) -> Coverage:
    """What `unknown` buys: one point for every distinct confidence taken as the threshold.

    Users who show nothing, where `shown`, bool [N], is False, count among all but are never decided
    (El-Yaniv and Wiener, 2010: the risk-coverage curve).
    """
    falling, point = np.unique(-_confidence(probabilities)[shown], return_inverse=True)
    decided = np.cumsum(np.bincount(point))
    correct = np.cumsum(np.bincount(point, _correct(labels, probabilities)[shown])).astype(int)
    return Coverage(-falling, decided / len(labels), decided, correct)


def threshold_for(precision: float, labels: Floats, probabilities: Floats, shown: Booleans) -> float:
    """The lowest threshold, in hundredths, at which at least this share of the decided users is right; 1 if none is.

    Whoever is less sure than the threshold is `unknown`; arguments as in `coverage_accuracy`.
    """
    thresholds = (hundredths / 100 for hundredths in range(50, 100))
    return next((t for t in thresholds if decided(labels, probabilities, shown, t)[1] >= precision), 1.0)


def decided(labels: Floats, probabilities: Floats, shown: Booleans, unknown_below: float) -> tuple[float, float]:
    """The share of the users whom a threshold decides, and of these the share who are right, NaN if there are none."""
    sure = shown & (_confidence(probabilities) >= unknown_below)
    return float(sure.mean()), float(_correct(labels, probabilities)[sure].mean()) if sure.any() else float("nan")


def log_loss(labels: Floats, probabilities: Floats) -> float:
    """Mean negative log likelihood in nats."""
    clipped = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return float(-np.mean(labels * np.log(clipped) + (1 - labels) * np.log(1 - clipped)))


# What `summary` reports, by name.
Summary = dict[str, Any]


def summary(labels: Floats, probabilities: Floats) -> Summary:
    """Accuracy with its interval, AUC, recalls, calibration error and log loss of P(female).

    None stands for the AUC, or the recall, where a class that it needs is absent.
    """
    correct = int(_correct(labels, probabilities).sum())
    low, high = wilson_interval(correct, len(labels))
    right, area = _correct(labels, probabilities), auc(labels, probabilities)
    recalls = {label: right[labels == value] for value, label in enumerate(LABELS)}
    return {
        "users": len(labels),
        "accuracy": round(correct / len(labels), 4),
        "accuracy_low": round(low, 4),
        "accuracy_high": round(high, 4),
        "auc": None if np.isnan(area) else round(area, 4),
        **{f"recall_{name}": round(float(hits.mean()), 4) if len(hits) else None for name, hits in recalls.items()},
        "ece": round(expected_calibration_error(labels, probabilities), 4),
        "log_loss": round(log_loss(labels, probabilities), 4),
    }


def _confidence(probabilities: Floats) -> Floats:
    return np.maximum(probabilities, 1 - probabilities)


def _correct(labels: Floats, probabilities: Floats) -> Booleans:
    right: Booleans = (probabilities >= 0.5) == (labels == 1)
    return right
