"""What another ranking would have earned, from lists that were shown with known propensities.

A policy ranks K places one after another; the propensity of a place is the probability of its picture, given those
above. The value of a policy is the expected number of likes in a list. It is assumed that a like depends on the
picture and on those above it only; then place j is weighted by w_j, the product over the places i <= j of
target / logged propensity (McInerney et al., 2020, "Counterfactual Evaluation of Slate Recommendations with Sequential
Reward Interactions", https://arxiv.org/abs/2007.12986).
"""

from typing import NamedTuple

import numpy as np

from ..arrays import FloatsN, FloatsNK, IntsN, IntsNK


class PolicyValue(NamedTuple):
    """Expected likes in a list, its standard error, and the number of lists that equal weights would need for it."""

    value: float
    standard_error: float
    effective_lists: float


def plackett_luce(scores: FloatsNK, places: IntsNK) -> FloatsNK:
    """Return the propensity of each place if lists are drawn by softmax over the pictures that are left.

    Args:
        scores: Score of each candidate, divided by the temperature [N, M]; -inf for pictures that are no candidates.
        places: Column of the picture in each place [N, K].

    Returns:
        Propensities [N, K].
    """
    propensities: FloatsNK = np.exp(np.take_along_axis(scores, places, axis=1) - _log_left(scores, places))
    return propensities


def inverse_propensity(liked: FloatsNK, logged: FloatsNK, target: FloatsNK, users: IntsN | None = None) -> PolicyValue:
    """Estimate the value of a target policy without bias.

    Args:
        liked: 1 where the shown picture was liked [N, K].
        logged: Propensities with which the lists were shown [N, K], above 0.
        target: Propensities of the same lists under the target policy [N, K].
        users: Number of the user of each list [N]. Lists of one user are not independent; by default each has its own.

    Raises:
        ValueError: The shapes differ, or a propensity is not a probability.
    """
    weights = cumulative_weights(logged, target, liked)
    return _policy_value((weights * liked).sum(axis=1), weights, users)


def self_normalized(liked: FloatsNK, logged: FloatsNK, target: FloatsNK, users: IntsN | None = None) -> PolicyValue:
    """Like `inverse_propensity`, but the weights of each place are divided by their mean.

    It has less variance, and a bias that vanishes with more lists (Swaminathan and Joachims, 2015, "The Self-Normalized
    Estimator for Counterfactual Learning"). The standard error is that of the linearized ratio.
    """
    weights = cumulative_weights(logged, target, liked)
    weights = weights / np.maximum(weights.mean(axis=0), np.finfo(float).tiny)
    of_places = (weights * liked).mean(axis=0)
    contributions = of_places.sum() + (weights * (liked - of_places)).sum(axis=1)
    return _policy_value(contributions, weights, users)


def doubly_robust(
    liked: FloatsNK,
    logged: FloatsNK,
    scores: FloatsNK,
    places: IntsNK,
    expected: FloatsNK,
    users: IntsN | None = None,
) -> PolicyValue:
    """Use a model of P(like) as well: unbiased if the propensities are right, and precise if the model is good.

    The sum over places of w_j (like - model) + w_{j-1} E[model of place j | above], the cascade estimator (Kiyohara et
    al., 2022, "Doubly Robust Off-Policy Evaluation for Ranking Policies under the Cascade Behavior Model",
    https://arxiv.org/abs/2202.01562).

    Args:
        liked: 1 where the shown picture was liked [N, K].
        logged: Propensities with which the lists were shown [N, K], above 0.
        scores: Scores by which the target policy draws, as in `plackett_luce` [N, M].
        places: Column of the picture in each place [N, K].
        expected: P(like) of each candidate by the model [N, M].
        users: Number of the user of each list [N].
    """
    weights = cumulative_weights(logged, plackett_luce(scores, places), liked)
    above = np.column_stack([np.ones(len(weights)), weights[:, :-1]])
    next_expected = np.empty(liked.shape)
    left = scores.astype(float)
    for place in range(liked.shape[1]):
        odds = np.exp(left - left.max(axis=1, keepdims=True))
        next_expected[:, place] = (odds * expected).sum(axis=1) / odds.sum(axis=1)
        np.put_along_axis(left, places[:, place : place + 1], -np.inf, axis=1)
    shown = np.take_along_axis(expected, places, axis=1)
    return _policy_value((weights * (liked - shown) + above * next_expected).sum(axis=1), weights, users)


def cumulative_weights(logged: FloatsNK, target: FloatsNK, liked: FloatsNK) -> FloatsNK:
    """Return the weight of each place [N, K].

    Raises:
        ValueError: The shapes differ, or a propensity is not a probability.
    """
    if not logged.shape == target.shape == liked.shape or logged.ndim != 2 or not len(logged):
        raise ValueError(f"expected likes and propensities [N, K], got {liked.shape}, {logged.shape}, {target.shape}")
    if bad := int(((logged <= 0) | (logged > 1)).sum()):
        raise ValueError(f"expected logged propensities above 0 and at most 1, got {bad} others")
    if bad := int((~((target >= 0) & (target <= 1))).sum()):
        raise ValueError(f"expected target propensities between 0 and 1, got {bad} others")
    weights: FloatsNK = np.cumprod(target / logged, axis=1)
    return weights


def _log_left(scores: FloatsNK, places: IntsNK) -> FloatsNK:
    """Return the logarithm of the summed odds of the pictures left for each place [N, K]."""
    left, sums = scores.astype(float), np.empty(places.shape)
    for place in range(places.shape[1]):
        largest = left.max(axis=1, keepdims=True)
        sums[:, place] = largest[:, 0] + np.log(np.exp(left - largest).sum(axis=1))
        np.put_along_axis(left, places[:, place : place + 1], -np.inf, axis=1)
    return sums


def _policy_value(contributions: FloatsN, weights: FloatsNK, users: IntsN | None) -> PolicyValue:
    """Return the mean of the lists' contributions, with a standard error over users."""
    count = len(contributions)
    groups = np.arange(count) if users is None else np.unique(users, return_inverse=True)[1]
    sums = np.bincount(groups, contributions - contributions.mean())
    clusters = len(sums)
    error = np.sqrt((sums**2).sum() * clusters / max(clusters - 1, 1)) / count
    last = weights[:, -1]
    return PolicyValue(float(contributions.mean()), float(error), float(last.sum() ** 2 / (last**2).sum()))
