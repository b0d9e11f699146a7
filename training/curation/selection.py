"""Choose which pictures of a pool to label: each function goes from the pool to row numbers."""

import math

import numpy as np
from numpy.random import Generator

from ..arrays import FloatsKD, FloatsN, FloatsND, IntsN


def confidence_band(p: FloatsN, high: float, low: float) -> IntsN:
    """Return the rows with p ≥ `high` or p ≤ `low`, of pictures that an earlier model recalled.

    Their errors are the hard examples: negatives at the top, positives at the bottom (article 003).
    """
    return np.flatnonzero((p >= high) | (p <= low))


def highest(values: FloatsN, count: int) -> IntsN:
    """Return the rows of the largest values, such as predicted losses, largest first."""
    return np.argsort(-values, kind="stable")[:count]


def predicted_loss(losses: FloatsN, count: int, rng: Generator, subset: int = 10_000) -> IntsN:
    """Return the rows of the highest predicted losses within a random subset, which keeps near-duplicates apart.

    Yoo and Kweon, 2019, https://arxiv.org/abs/1905.03677, section 4.1.
    """
    drawn = rng.permutation(len(losses))[:subset]
    return drawn[highest(losses[drawn], count)]


def entropy(p: FloatsN, count: int) -> IntsN:
    """Return the rows of the most uncertain probabilities, nearest to ½ first."""
    return highest(-np.abs(p - 0.5), count)


def core_set(pool: FloatsND, labeled: FloatsKD, count: int) -> IntsN:
    """Return rows that cover the pool: each time the one farthest from all labeled and chosen ones.

    Sener and Savarese, 2018, https://arxiv.org/abs/1708.00489, algorithm 1 (k-center greedy).

    Args:
        pool: Embeddings, `[N, D]`.
        labeled: Embeddings of the labeled pictures, `[K, D]`, at least one.
        count: The number of rows to return.
    """
    distances = np.full(len(pool), math.inf)
    for center in labeled:
        np.minimum(distances, _squared_distances(pool, center), out=distances)
    chosen = []
    for _ in range(min(count, len(pool))):
        chosen.append(int(distances.argmax()))
        np.minimum(distances, _squared_distances(pool, pool[chosen[-1]]), out=distances)
        distances[chosen[-1]] = -1
    return np.array(chosen, int)


def random(pool: int, count: int, rng: Generator) -> IntsN:
    """Return random rows of a pool of a size."""
    return rng.permutation(pool)[:count]


def with_exploration(chosen: IntsN, pool: int, share: float, rng: Generator) -> IntsN:
    """Replace the last `share` of the chosen rows by random others of a pool of a size.

    What no model recalls is never labeled otherwise, and recall measured on labeled pictures is blind to it.
    """
    explored = round(share * len(chosen))
    kept = chosen[: len(chosen) - explored]
    return np.concatenate([kept, rng.permutation(np.setdiff1d(np.arange(pool), kept))[:explored]])


def _squared_distances(pool: FloatsND, center: FloatsN) -> FloatsN:
    distances: FloatsN = ((pool - center) ** 2).sum(axis=1)
    return distances
