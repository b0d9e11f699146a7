"""What a table reports, from probabilities and labels; plain numpy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


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


def expected_calibration_error(labels: Floats, probabilities: Floats, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal bins of P(the likelier label) (Guo et al., 2017)."""
    confidence = np.maximum(probabilities, 1 - probabilities)
    correct = (probabilities >= 0.5) == (labels == 1)
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[bin_of == b].sum() - correct[bin_of == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(labels))


def log_loss(labels: Floats, probabilities: Floats) -> float:
    """Mean negative log likelihood in nats."""
    clipped = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return float(-np.mean(labels * np.log(clipped) + (1 - labels) * np.log(1 - clipped)))


def summary(labels: Floats, probabilities: Floats) -> dict[str, float | int]:
    """Accuracy with its interval, AUC, calibration error and log loss of P(female)."""
    correct = int(((probabilities >= 0.5) == (labels == 1)).sum())
    low, high = wilson_interval(correct, len(labels))
    return {
        "users": len(labels),
        "accuracy": round(correct / len(labels), 4),
        "accuracy_low": round(low, 4),
        "accuracy_high": round(high, 4),
        "auc": round(auc(labels, probabilities), 4),
        "ece": round(expected_calibration_error(labels, probabilities), 4),
        "log_loss": round(log_loss(labels, probabilities), 4),
    }
