"""How far stated probabilities can be trusted: on women and men alike, and where they are highest."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from ..arrays import FloatsN, IntsN
from .intervals import estimate
from .metrics import BINS, auc

# A wrong answer above this probability is surely wrong.
SURE: Final = 0.9

# From labels [N] and P(female) [N].
Measure = Callable[[FloatsN, FloatsN], float]


def balanced_calibration_error(labels: FloatsN, p_female: FloatsN, bins: int = BINS) -> float:
    """Return the expected calibration error of P(female) if women and men were equally many.

    The mean gap between probability and label in equal bins from 0 to 1 (Guo et al., 2017, equation 3), where each
    gender has half of the weight. NaN if a gender is absent.
    """
    counts = np.bincount(labels.astype(int), minlength=2)
    if not counts.all():
        return float("nan")
    weights = 0.5 / counts[labels.astype(int)]
    edges = np.minimum((p_female * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(edges, weights * (p_female - labels), bins)).sum())


def calibration_in_the_large(labels: FloatsN, p_female: FloatsN) -> float:
    """Return how far P(female) is too high on average if women and men were equally many (Van Calster et al., 2019).

    Unlike an error over bins, its expectation is 0 for calibrated probabilities of any number of users.
    """
    return float(p_female[labels == 1].mean() + p_female[labels == 0].mean() - 1) / 2


def surely_wrong(labels: FloatsN, p_female: FloatsN) -> float:
    """Return the share of users whose other gender has a probability above `SURE`."""
    return float(np.mean(np.where(labels == 1, 1 - p_female, p_female) > SURE))


def recall_gap(labels: FloatsN, p_female: FloatsN) -> float:
    """Return the recall of women minus that of men."""
    predicted = p_female >= 0.5
    return float(predicted[labels == 1].mean() - 1 + predicted[labels == 0].mean())


def accuracy_of_surest(share: float, labels: FloatsN, p_female: FloatsN) -> float:
    """Return the accuracy of the `share` of users with the highest confidence (El-Yaniv and Wiener, 2010)."""
    surest = np.argsort(-np.abs(p_female - 0.5), kind="stable")[: math.ceil(share * len(labels))]
    return float(np.mean((p_female[surest] >= 0.5) == (labels[surest] == 1)))


def macro_f1(labels: FloatsN, p_female: FloatsN) -> float:
    """Return the mean of the F1 of women and of men; scikit-learn's `f1_score` is too slow for a bootstrap."""
    counts = np.bincount(2 * (labels == 1) + (p_female >= 0.5), minlength=4)
    wrong = counts[1] + counts[2]
    return float(np.mean([2 * right / max(1, 2 * right + wrong) for right in (counts[0], counts[3])]))


def brier(labels: FloatsN, p_female: FloatsN) -> float:
    """Return the mean squared error of P(female) (Brier, 1950)."""
    return float(np.mean((p_female - labels) ** 2))


def doubt(p_female: FloatsN) -> dict[str, float]:
    """Return the mean of P(female), its standard deviation, and the mean confidence, where nothing tells the gender."""
    confidence = np.maximum(p_female, 1 - p_female)
    values = {
        "users": len(p_female),
        "mean": p_female.mean(),
        "spread": p_female.std(),
        "confidence": confidence.mean(),
    }
    return {name: round(float(value), 4) for name, value in values.items()}


def trust(labels: FloatsN, p_female: FloatsN, identities: IntsN, draws: int = 300) -> dict[str, Any]:
    """Return the measures of this module, AUC, macro F1 and Brier score, each with its interval over identities."""
    measures: dict[str, Measure] = {
        "accuracy": partial(accuracy_of_surest, 1.0),
        "accuracy_at_90": partial(accuracy_of_surest, 0.9),
        "accuracy_at_80": partial(accuracy_of_surest, 0.8),
        "auc": auc,
        "macro_f1": macro_f1,
        "brier": brier,
        "recall_gap": recall_gap,
        "balanced_ece": balanced_calibration_error,
        "calibration_in_the_large": calibration_in_the_large,
        "surely_wrong": surely_wrong,
    }
    results: dict[str, Any] = {"users": len(labels), "identities": len(np.unique(identities))}
    for name, measure in measures.items():
        statistic = partial(_of_rows, measure, labels, p_female)
        results |= estimate(statistic, identities, draws).rounded(name)
    return results


def _of_rows(measure: Measure, labels: FloatsN, p_female: FloatsN, rows: IntsN) -> float:
    return measure(labels[rows], p_female[rows])
