"""Finds the rows of picture ids."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Fills up the shorter lists of a request of several users.
PADDING: Final = -1
UNKNOWN: Final = -1


class IdLookup:
    """The row of each picture id of a gallery.

    Args:
        ids: The distinct ids, int64 [N], in any order.
    """

    def __init__(self, ids: NDArray[np.int64]) -> None:
        self._order = np.argsort(ids)
        self._sorted = np.asarray(ids)[self._order]

    def rows(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each id, int64 [M]; `UNKNOWN` where the gallery lacks it."""
        if not self._sorted.size:
            return np.full(ids.shape, UNKNOWN)
        places = np.minimum(np.searchsorted(self._sorted, ids), self._sorted.size - 1)
        return np.where(self._sorted[places] == ids, self._order[places], UNKNOWN)
