"""Ranking metrics equal scikit-learn's, user by user."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, ndcg_score, roc_auc_score

from training.evaluation.ranking import coverage, gini, like_calibration_error, ndcg, summary, user_auc

RNG = np.random.default_rng(0)
LIKED = RNG.random((40, 12)) < 0.3
# Few distinct scores, so that there are ties.
SCORES = RNG.integers(0, 5, LIKED.shape) / 5
MASK = RNG.random(LIKED.shape) < 0.7
LIKED[0], LIKED[1] = False, True


def test_user_auc_is_that_of_scikit_learn() -> None:
    result = user_auc(LIKED, SCORES, MASK)
    for user, value in enumerate(result.values):
        liked, scores = LIKED[user][MASK[user]], SCORES[user][MASK[user]]
        if liked.any() and not liked.all():
            assert value == pytest.approx(roc_auc_score(liked, scores))
        else:
            assert np.isnan(value)


def test_gauc_weights_users_by_impressions_and_counts_the_skipped() -> None:
    liked = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], bool)
    scores = np.array([[4, 3, 2, 1], [1, 2, 3, 4], [1, 2, 3, 4]])
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]], bool)
    result = user_auc(liked, scores, mask)
    # AUC 1 over two impressions, AUC 0 over four; the third user likes nothing.
    assert result.mean() == pytest.approx(2 / 6)
    assert result.skipped == 1


def test_lists_of_a_user_are_one_list() -> None:
    users = np.arange(len(LIKED)) % 7
    result = user_auc(LIKED, SCORES, MASK, users * 10)
    for user, value in enumerate(result.values):
        shown = MASK[users == user]
        liked, scores = LIKED[users == user][shown], SCORES[users == user][shown]
        assert value == pytest.approx(roc_auc_score(liked, scores))
        assert result.weights[user] == len(liked)


def test_ndcg_is_that_of_scikit_learn() -> None:
    values = ndcg(LIKED, SCORES, 5, MASK)
    for user, value in enumerate(values):
        liked, scores = LIKED[user][MASK[user]], SCORES[user][MASK[user]]
        if liked.any():
            assert value == pytest.approx(ndcg_score([liked.astype(float)], [scores], k=5))
        else:
            assert np.isnan(value)


def test_coverage_and_gini() -> None:
    assert coverage(np.array([[1, 2], [2, 3]]), 10) == 0.3
    assert gini(np.array([5, 5, 5, 5])) == 0
    assert gini(np.array([0, 0, 0, 8])) == 0.75
    # Mean absolute difference over twice the mean.
    counts = RNG.integers(0, 9, 30)
    assert gini(counts) == pytest.approx(np.abs(np.subtract.outer(counts, counts)).mean() / (2 * counts.mean()))


def test_calibration_error_is_the_gap_of_each_bin() -> None:
    liked, p_like = np.array([1.0, 0, 0, 1, 1]), np.array([0.1, 0.1, 0.1, 0.9, 0.9])
    assert like_calibration_error(liked, p_like, bins=2) == pytest.approx(0.6 * (1 / 3 - 0.1) + 0.4 * 0.1)
    p = RNG.random(20_000)
    assert like_calibration_error((RNG.random(20_000) < p).astype(float), p) < 0.02


def test_summary_counts_impressions() -> None:
    p_like = np.clip(SCORES, 0.05, 0.95)
    result = summary(LIKED, p_like, MASK)
    assert (result["users"], result["impressions"]) == (40, MASK.sum())
    assert result["auc"] == pytest.approx(roc_auc_score(LIKED[MASK], p_like[MASK]), abs=1e-4)
    assert result["log_loss"] == pytest.approx(log_loss(LIKED[MASK], p_like[MASK]), abs=1e-4)
