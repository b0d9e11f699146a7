"""O2U-Net: labels whose loss stays high while training swings between over- and underfitting are suspected wrong.

Huang et al., 2019, "O2U-Net: A Simple Noisy Label Detection Approach for Deep Neural Networks" (ICCV).
"""

import numpy as np

from ..arrays import FloatsEN, FloatsN, IntsN


def cyclic_rate(epoch: int, high: float = 0.01, low: float = 0.001, cycle: int = 10) -> float:
    """Return the learning rate of an epoch, numbered from 1: it falls linearly within each cycle (equation 1).

    s(t) = (1 + (t − 1) mod c) / c and r(t) = (1 − s)·high + s·low, so the first rate is below `high`, and the last of a
    cycle is `low`. The authors' code starts one epoch later in the cycle.

    Raises:
        ValueError: The epoch or the cycle is below 1.
    """
    if epoch < 1 or cycle < 1:
        raise ValueError(f"expected an epoch and a cycle of at least 1, got {epoch} and {cycle}")
    share = (1 + (epoch - 1) % cycle) / cycle
    return (1 - share) * high + share * low


def noise_scores(losses: FloatsEN) -> FloatsN:
    """Return Σ_epochs (loss − mean loss of the epoch) for each example, `[N]`: higher is more suspicious.

    Args:
        losses: The loss of each example in each epoch, `[E, N]`, recorded in training.
    """
    scores: FloatsN = (losses - losses.mean(axis=1, keepdims=True)).sum(axis=0)
    return scores


def suspects(scores: FloatsN, labels: IntsN, share: float = 0.05) -> IntsN:
    """Return the rows of the highest scores within each label, most suspicious first.

    Among all labels together, most examples of a rare one would be suspects, because the rare are hard. Labels below 0
    are not known and never suspects.

    Args:
        scores: `[N]`, as `noise_scores` gives.
        labels: The given labels, `[N]`.
        share: The share of each label's examples to return, rounded to the nearest number.
    """
    chosen = []
    for label in np.unique(labels[labels >= 0]):
        rows = np.flatnonzero(labels == label)
        chosen.append(rows[np.argsort(-scores[rows], kind="stable")][: round(share * len(rows))])
    found = np.concatenate(chosen) if chosen else np.empty(0, int)
    return found[np.argsort(-scores[found], kind="stable")]
