"""Wrong labels, injected at a known rate."""

import numpy as np
from numpy.random import Generator

from ..arrays import LabelsNA


def flip(labels: LabelsNA, rate: float, rng: Generator) -> LabelsNA:
    """Exchange 1 and 0 with a probability of `rate`; unknown labels (−1) stay unknown.

    Args:
        labels: Of any shape.
        rate: The probability of each label to be wrong.
        rng: Chooses which.
    """
    wrong = (rng.random(labels.shape) < rate) & (labels >= 0)
    return np.where(wrong, 1 - labels, labels).astype(labels.dtype)
