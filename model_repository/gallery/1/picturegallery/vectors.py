"""What a search takes and returns."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]  # [K]
Scores = NDArray[np.float32]  # [N] or [K]
Vector = NDArray[np.float32]  # [D]
Vectors = NDArray[np.floating[Any]]  # [N, D]


class Search(Protocol):
    """Finds the vectors that are most similar to a query."""

    def nearest(self, query: Vector, k: int, excluded: int | None = None) -> tuple[Rows, Scores]:
        """Return the rows of the `k` vectors most similar to a query, the most similar first, and their scores.

        Args:
            query: A unit vector.
            k: At most so many rows.
            excluded: A row that is no answer.
        """
        ...
