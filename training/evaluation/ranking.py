"""Metrics of rankings: scores and likes of N lists of S shown pictures, `[N, S]`.

A mask `[N, S]` selects pictures, such as those never seen in training.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from ..arrays import BoolsNK, FloatsN, FloatsNK, IntsN, IntsNK
from .metrics import auc


@dataclass(frozen=True)
class UserAUC:
    """AUC of each user, NaN without both classes [N], and its weight, the number of impressions [N]."""

    values: FloatsN
    weights: FloatsN

    @property
    def skipped(self) -> int:
        """The number of users whose impressions lack a class."""
        return int(np.isnan(self.values).sum())

    def mean(self, rows: IntsN | slice = slice(None)) -> float:
        """Return GAUC = Σᵤ nᵤ AUCᵤ / Σᵤ nᵤ over the users with both classes (Zhu et al., 2017, arXiv 1703.02091)."""
        values, weights = self.values[rows], self.weights[rows]
        both = ~np.isnan(values)
        return float(np.average(values[both], weights=weights[both])) if both.any() else float("nan")


def user_auc(liked: BoolsNK, scores: FloatsNK, mask: BoolsNK | None = None, users: IntsN | None = None) -> UserAUC:
    """Return the AUC of each user's impressions; ties count ½.

    Args:
        liked: [N, S].
        scores: [N, S].
        mask: The impressions that count, [N, S]; by default all.
        users: Number of the user of each row, [N]; by default each row is a user.
    """
    mask = np.ones_like(liked, bool) if mask is None else mask
    users = np.arange(len(liked)) if users is None else np.unique(users, return_inverse=True)[1]
    count = int(users.max(initial=-1)) + 1
    user, is_liked = np.repeat(users, mask.sum(axis=1)), liked[mask].astype(bool)
    ranks = pd.Series(scores[mask]).groupby(user).rank().to_numpy()
    shown, positive = np.bincount(user, minlength=count), np.bincount(user, is_liked, count)
    u = np.bincount(user, ranks * is_liked, count) - positive * (positive + 1) / 2
    pairs = positive * (shown - positive)
    return UserAUC(np.divide(u, pairs, out=np.full(count, np.nan), where=pairs > 0), shown.astype(float))


def ndcg(liked: BoolsNK, scores: FloatsNK, k: int = 10, mask: BoolsNK | None = None) -> FloatsN:
    """Return NDCG@k of each user, [N]; NaN for a user who likes none.

    The gain is 1 for a like, the discount log₂(1 + position). Tied pictures share the mean gain of their places, as in
    scikit-learn.
    """
    mask = np.ones_like(liked, bool) if mask is None else mask
    discounts = np.where(np.arange(liked.shape[1]) < k, 1 / np.log2(np.arange(liked.shape[1]) + 2), 0.0)
    sums = np.concatenate([[0.0], np.cumsum(discounts)])
    falling = np.where(mask, -scores, np.inf)
    first = rankdata(falling, method="min", axis=1).astype(int)
    last = rankdata(falling, method="max", axis=1).astype(int)
    gains = (liked & mask) * (sums[last] - sums[first - 1]) / (last - first + 1)
    ideal = sums[(liked & mask).sum(axis=1)]
    return np.divide(gains.sum(axis=1), ideal, out=np.full(len(liked), np.nan), where=ideal > 0)


def coverage(chosen: IntsNK, pictures: int) -> float:
    """Return the share of a gallery's pictures that occur in at least one of the lists `chosen` [N, K]."""
    return len(np.unique(chosen)) / pictures


def gini(counts: IntsN) -> float:
    """Return the Gini coefficient of how often pictures are chosen: 0 if equally often, near 1 if always the same."""
    ordered = np.sort(counts).astype(float)
    n = len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * ordered.sum()))


def like_calibration_error(liked: FloatsN, p_like: FloatsN, bins: int = 15) -> float:
    """Return the mean gap between P(like) and the share of likes in equal bins, weighted by impressions.

    Guo et al., 2017, equation 3, of the positive class.
    """
    edges = np.minimum((p_like * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(edges, p_like - liked, bins)).sum() / len(liked))


def summary(
    liked: BoolsNK, p_like: FloatsNK, mask: BoolsNK | None = None, users: IntsN | None = None
) -> dict[str, float]:
    """Return AUC over all impressions, GAUC with the number of skipped users, NDCG@10 of a list, calibration error and
    log loss.

    Args:
        liked: [N, S].
        p_like: P(like), [N, S].
        mask: The impressions that count, [N, S]; by default all.
        users: Number of the user of each row, [N]; by default each row is a user.
    """
    mask = np.ones_like(liked, bool) if mask is None else mask
    by_user, y, p = user_auc(liked, p_like, mask, users), liked[mask].astype(float), p_like[mask]
    clipped = np.clip(p, 1e-7, 1 - 1e-7)
    values = {
        "auc": auc(y, p),
        "gauc": by_user.mean(),
        "ndcg_10": float(np.nanmean(ndcg(liked, p_like, 10, mask))),
        "ece": like_calibration_error(y, p),
        "log_loss": float(-np.mean(np.where(y == 1, np.log(clipped), np.log(1 - clipped)))),
    }
    rounded = {name: round(value, 4) for name, value in values.items()}
    return {"users": len(by_user.values), "skipped": by_user.skipped, "impressions": len(y), **rounded}
