"""The pictures that a user liked, as the ranker reads them."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .lookup import PADDING, UNKNOWN, IdLookup

HISTORY: Final = "HISTORY"
HISTORY_SIZE: Final = 50


class History(NamedTuple):
    """The rows of a user's liked pictures, newest first, at most `HISTORY_SIZE`; how many ids were unknown."""

    rows: NDArray[np.int64]
    unknown: int


def read_history(ids: NDArray[np.int64], lookup: IdLookup) -> History:
    """Look up liked pictures.

    Unknown ids do not take the places of known ones: pictures leave a gallery, and old likes then count instead.

    Args:
        ids: Picture ids, int64 [H], newest first; `PADDING` anywhere.
        lookup: The gallery's ids.
    """
    rows = lookup.rows(ids[ids != PADDING])
    known = rows[rows != UNKNOWN]
    return History(known[:HISTORY_SIZE], len(rows) - len(known))
