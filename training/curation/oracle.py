"""An annotator who knows the truth, errs at will, and counts what is asked."""

import numpy as np

from ..arrays import IntsN, LabelsNA
from .label_noise import flip


class Oracle:
    """Answers with the labels of pictures.

    Args:
        truth: The true labels, `[N]` or `[N, A]`.
        error_rate: Share of the answers that are wrong. The same question gets the same answer.
        seed: Of the wrong answers.
    """

    def __init__(self, truth: LabelsNA, error_rate: float = 0.0, seed: int = 0) -> None:
        self._answers = flip(truth, error_rate, np.random.default_rng(seed))
        self.asked = 0

    def ask(self, rows: IntsN) -> LabelsNA:
        """Return the labels of some pictures; each counts, also when it is asked again."""
        self.asked += len(rows)
        return self._answers[rows]
