"""Find more examples like a few known ones, by the embeddings of pictures."""

import numpy as np

from ..arrays import BoolsN, FloatsKD, FloatsN, FloatsND, IntsN


def similarity(examples: FloatsKD, pool: FloatsND) -> FloatsN:
    """Return the cosine of each picture of the pool to the example nearest to it, `[N]`.

    The examples of a dispersed class have no common center, so their mean is near to none of them.
    """
    unit, units = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (examples, pool))
    cosines: FloatsN = (units @ unit.T).max(axis=1)
    return cosines


def retrieve(examples: FloatsKD, pool: FloatsND, count: int) -> IntsN:
    """Return the rows of the pool most similar to one of the examples, most similar first.

    Args:
        examples: Embeddings of the known examples, `[K, D]`.
        pool: Embeddings of the pictures to search, `[N, D]`.
        count: The number of rows to return.
    """
    return np.argsort(-similarity(examples, pool), kind="stable")[:count]


def precision_at(k: int, relevant: BoolsN, ranked: IntsN) -> float:
    """Return the share of the first k ranked rows that are relevant.

    Args:
        k: The number of rows that count.
        relevant: Whether each row of the pool is relevant, `[N]`.
        ranked: Rows of the pool, best first.

    Raises:
        ValueError: Fewer than k rows are ranked.
    """
    if not 1 <= k <= len(ranked):
        raise ValueError(f"expected k between 1 and {len(ranked)} ranked rows, got {k}")
    return float(relevant[ranked[:k]].mean())
