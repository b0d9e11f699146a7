"""Search by inner product, which is the cosine of unit vectors."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

import numpy as np

from .vectors import Rows, Scores, Search, Vector, Vectors

# Above so many vectors, faiss searches if it is installed: it finds nearly all neighbors, in a fraction of the time.
MAX_EXACT: Final = 500_000
# Scores in one group of `largest`.
_GROUP: Final = 64


def build_search(vectors: Vectors) -> Search:
    """Choose the search for so many vectors."""
    if len(vectors) > MAX_EXACT and find_spec("faiss"):
        from .faiss_search import FaissSearch

        return FaissSearch(vectors)
    return ExactSearch(vectors)


class ExactSearch:
    """Compares a query with all vectors.

    It holds them as float32 and by dimension, `[D, N]`: NumPy multiplies float16 in software.

    Args:
        vectors: Unit vectors.
    """

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = np.ascontiguousarray(vectors.T, np.float32)

    def nearest(self, query: Vector, k: int, excluded: int | None = None) -> tuple[Rows, Scores]:
        scores: Scores = query @ self._vectors
        if excluded is not None:
            scores[excluded] = -np.inf
        rows = largest(scores, k)
        # The excluded row is among them if there are fewer than k others.
        rows = rows[scores[rows] > -np.inf]
        return rows, scores[rows]


def largest(scores: Scores, k: int) -> Rows:
    """Return the positions of the `k` largest scores, the largest first.

    They lie in the k groups with the largest maxima, so only these groups are searched.
    """
    columns = len(scores) // _GROUP
    if columns > k:
        # Group c has the positions c, c + columns, c + 2 · columns, …; the last positions are in none.
        maxima = scores[: _GROUP * columns].reshape(_GROUP, columns).max(axis=0)
        groups = np.argpartition(maxima, -k)[-k:]
        members = (groups + columns * np.arange(_GROUP)[:, None]).ravel()
        candidates = np.concatenate([members, np.arange(_GROUP * columns, len(scores))])
    else:
        candidates = np.arange(len(scores))
    values = scores[candidates]
    top = np.argpartition(values, -k)[-k:] if k < len(values) else np.arange(len(values))
    positions: Rows = candidates[top[np.argsort(-values[top])]]
    return positions
