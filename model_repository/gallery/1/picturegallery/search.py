"""Exact search by inner product, which is the cosine of unit vectors."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]  # [K]
Scores = NDArray[np.float32]  # [N] or [K]
Vector = NDArray[np.float32]  # [D]

# Scores in one group of `largest`.
_GROUP: Final = 64


class ExactSearch:
    """Compares a query with all vectors.

    It holds them as float32: NumPy multiplies float16 in software, 20 times slower.

    Args:
        vectors: Unit vectors `[N, D]` of any float type.
    """

    def __init__(self, vectors: NDArray[np.floating[Any]]) -> None:
        self._vectors = np.ascontiguousarray(vectors, np.float32)

    def nearest(self, query: Vector, k: int, excluded: int | None = None) -> tuple[Rows, Scores]:
        """Return the rows of the `k` vectors most similar to a query, the most similar first, and their scores.

        Args:
            query: A unit vector.
            k: At most so many rows.
            excluded: A row that is no answer.
        """
        scores = self._vectors @ query
        if excluded is not None:
            scores[excluded] = -np.inf
        rows = largest(scores, min(k, len(scores) - (excluded is not None)))
        return rows, scores[rows]


def largest(scores: Scores, k: int) -> Rows:
    """Return the positions of the `k` largest scores, the largest first.

    The k largest lie in the k groups with the largest maxima, so only these groups are searched.
    """
    columns = len(scores) // _GROUP
    candidates = np.arange(len(scores))
    if columns > k:
        # Group c has the positions c, c + columns, c + 2 · columns, …; the last positions are in none.
        maxima = scores[: _GROUP * columns].reshape(_GROUP, columns).max(axis=0)
        groups = np.argpartition(maxima, -k)[-k:]
        members = (groups + columns * np.arange(_GROUP)[:, None]).ravel()
        candidates = np.concatenate([members, candidates[_GROUP * columns :]])
    order = np.argsort(-scores[candidates], kind="stable")[:k]
    positions: Rows = candidates[order]
    return positions
