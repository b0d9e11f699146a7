"""Approximate search in very large galleries, by faiss."""

from __future__ import annotations

import math

import faiss
import numpy as np

from .vectors import Rows, Scores, Vector, Vectors


class FaissSearch:
    """Compares a query with the vectors of the cells nearest to it.

    The index is an inverted file (Jégou et al., 2011, https://doi.org/10.1109/TPAMI.2010.57); it is built when the
    gallery loads.

    Args:
        vectors: Unit vectors.
        probed: Cells that a query is compared with.
    """

    def __init__(self, vectors: Vectors, probed: int = 32) -> None:
        self._index = inverted_file(np.ascontiguousarray(vectors, np.float32), probed)

    def nearest(self, query: Vector, k: int, excluded: int | None = None) -> tuple[Rows, Scores]:
        scores, rows = self._index.search(query[None], k + (excluded is not None))
        # -1 fills up the list if the cells have fewer vectors.
        valid = (rows[0] >= 0) & (rows[0] != (-1 if excluded is None else excluded))
        return rows[0][valid][:k], scores[0][valid][:k]


def inverted_file(vectors: Vectors, probed: int) -> faiss.IndexIVFFlat:
    """Build the index of 4√N cells, as faiss recommends for up to a million vectors."""
    count, dims = vectors.shape
    cells = max(1, round(4 * math.sqrt(count)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dims), dims, cells, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:: max(1, count // (50 * cells))])
    index.add(vectors)
    index.nprobe = probed
    return index
