"""Metrics of P(female) against labels: scikit-learn and SciPy, plus what they lack (calibration error, coverage)."""

from typing import Any, Final, NamedTuple

import numpy as np
from scipy.stats import binned_statistic, binomtest, rankdata
from sklearn.metrics import confusion_matrix, log_loss, recall_score

from genderprep.tensors import LABELS

from ..arrays import BoolsN, FloatsN, IntsN
from .intervals import estimate

# Metrics by name, as `summary` returns them.
Summary = dict[str, Any]
# The index of `unknown` after those of the labels.
UNKNOWN: Final = len(LABELS)
# Confidence bins of the expected calibration error.
BINS: Final = 15


class ReliabilityBins(NamedTuple):
    """Users by confidence, one entry per bin. Confidence and accuracy are means, NaN in an empty bin."""

    counts: IntsN
    confidence: FloatsN
    accuracy: FloatsN


class CoverageCurve(NamedTuple):
    """One point per threshold, highest first: the share of users decided, their number, and how many are correct."""

    thresholds: FloatsN
    coverage: FloatsN
    decided: IntsN
    correct: IntsN


def wilson_interval(correct: int, count: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a proportion.

    Raises:
        ValueError: `count` is not positive.
    """
    interval = binomtest(correct, count).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def auc(labels: FloatsN, scores: FloatsN) -> float:
    """Return the area under the ROC curve by the Mann–Whitney U statistic, NaN if a class is absent.

    scikit-learn's `roc_auc_score` is too slow for a bootstrap of thousands of draws.
    """
    positive = labels == 1
    n_positive, n_negative = np.count_nonzero(positive), np.count_nonzero(~positive)
    if not n_positive or not n_negative:
        return float("nan")
    u = rankdata(scores)[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(u / (n_positive * n_negative))


def reliability(labels: FloatsN, p_female: FloatsN, bins: int = BINS) -> ReliabilityBins:
    """Bin users by confidence, in equal bins from 0 to 1 (Guo et al., 2017, section 2)."""
    confidence, correct = _confidence(p_female), _correct(labels, p_female).astype(float)
    sums, _, _ = binned_statistic(confidence, [np.ones_like(confidence), confidence, correct], "sum", bins, (0, 1))
    counts = sums[0].astype(int)
    means = np.divide(sums[1:], counts, out=np.full((2, bins), np.nan), where=counts > 0)
    return ReliabilityBins(counts, *means)


def expected_calibration_error(labels: FloatsN, p_female: FloatsN, bins: int = BINS) -> float:
    """Return the mean gap between confidence and accuracy, weighted by users (Guo et al., 2017, equation 3)."""
    counts, confidence, accuracy = reliability(labels, p_female, bins)
    return float(np.nansum(counts * np.abs(confidence - accuracy)) / len(labels))


def decisions(p_female: FloatsN, has_input: BoolsN, unknown_below: float) -> IntsN:
    """Return the client's answer for each user: 0 male, 1 female, 2 unknown.

    A user is unknown if the confidence is below `unknown_below` or no modality is present.
    """
    unknown = (_confidence(p_female) < unknown_below) | ~has_input
    return np.where(unknown, UNKNOWN, (p_female >= 0.5).astype(int))


def confusion(labels: FloatsN, p_female: FloatsN, has_input: BoolsN, unknown_below: float) -> IntsN:
    """Return counts `[2, 3]`: label (male, female) by decision (male, female, unknown)."""
    matrix = confusion_matrix(labels, decisions(p_female, has_input, unknown_below), labels=range(UNKNOWN + 1))
    return np.asarray(matrix[:UNKNOWN])


def coverage_accuracy(labels: FloatsN, p_female: FloatsN, has_input: BoolsN) -> CoverageCurve:
    """Return the coverage and accuracy at every distinct confidence (El-Yaniv and Wiener, 2010).

    Users without input count as users, but no threshold decides them.
    """
    falling, point = np.unique(-_confidence(p_female)[has_input], return_inverse=True)
    decided = np.cumsum(np.bincount(point))
    correct = np.cumsum(np.bincount(point, _correct(labels, p_female)[has_input])).astype(int)
    return CoverageCurve(-falling, decided / len(labels), decided, correct)


def threshold_for(precision: float, labels: FloatsN, p_female: FloatsN, has_input: BoolsN) -> float:
    """Return the lowest threshold, in hundredths, that reaches `precision` on the decided users; 1 if none does."""
    thresholds = (hundredths / 100 for hundredths in range(50, 100))
    return next((t for t in thresholds if coverage_at(t, labels, p_female, has_input)[1] >= precision), 1.0)


def coverage_at(threshold: float, labels: FloatsN, p_female: FloatsN, has_input: BoolsN) -> tuple[float, float]:
    """Return the share of users that a threshold decides, and their accuracy (NaN if there are none)."""
    decided = has_input & (_confidence(p_female) >= threshold)
    accuracy = float(_correct(labels, p_female)[decided].mean()) if decided.any() else float("nan")
    return float(decided.mean()), accuracy


def summary(labels: FloatsN, p_female: FloatsN, identities: IntsN | None = None) -> Summary:
    """Return accuracy with its 95 % interval, AUC, recalls, calibration error and log loss in nats.

    The interval takes users of the same identity as dependent; without `identities` [N], it is Wilson's.
    A metric that needs an absent class is None.
    """
    correct = _correct(labels, p_female)
    low, high = _accuracy_interval(correct, np.arange(len(correct)) if identities is None else identities)
    area, predicted = auc(labels, p_female), p_female >= 0.5
    recalls = recall_score(labels, predicted, labels=(0, 1), average=None, zero_division=np.nan)
    clipped = np.clip(p_female.astype(np.float64), 1e-7, 1 - 1e-7)
    return {
        "users": len(labels),
        "accuracy": round(float(correct.mean()), 4),
        "accuracy_low": round(low, 4),
        "accuracy_high": round(high, 4),
        "auc": _rounded(area),
        **{f"recall_{label}": _rounded(recall) for label, recall in zip(LABELS, recalls, strict=True)},
        "ece": round(expected_calibration_error(labels, p_female), 4),
        "log_loss": round(float(log_loss(labels, clipped, labels=(0, 1))), 4),
    }


def _accuracy_interval(correct: BoolsN, identities: IntsN) -> tuple[float, float]:
    """Return the 95 % interval of an accuracy: by resampling identities, or Wilson's if each is one user.

    If all identities are equally accurate, resampling gives an interval of length 0. Then it is Wilson's of one user
    for each identity.
    """
    count = len(np.unique(identities))
    if count < len(correct):
        _, low, high = estimate(lambda rows: correct[rows].mean(), identities)
        if low < high:
            return low, high
    return wilson_interval(round(correct.mean() * count), count)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def _confidence(p_female: FloatsN) -> FloatsN:
    """Return the probability of the likelier label."""
    return np.maximum(p_female, 1 - p_female)


def _correct(labels: FloatsN, p_female: FloatsN) -> BoolsN:
    correct: BoolsN = (p_female >= 0.5) == (labels == 1)
    return correct
