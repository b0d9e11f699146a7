"""The pictures to choose from."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import Fault, InvalidInput
from .lookup import PADDING, UNKNOWN, IdLookup

CANDIDATES: Final = "CANDIDATES"


class Candidates(NamedTuple):
    """The rows of the pictures to choose from, distinct and in order; how many ids were unknown."""

    rows: NDArray[np.int64]
    unknown: int


def read_candidates(ids: NDArray[np.int64], lookup: IdLookup, size: int) -> Candidates:
    """Look up candidates. Their order does not matter, so that a seed gives the same list for the same pictures.

    Args:
        ids: Picture ids, int64 [C]; `PADDING` anywhere. Without any other id, the whole gallery is meant.
        lookup: The gallery's ids.
        size: The number of pictures in the gallery.

    Raises:
        InvalidInput: The gallery has none of the pictures.
    """
    named = ids[ids != PADDING]
    if not named.size:
        return Candidates(np.arange(size), 0)
    rows = lookup.rows(named)
    known = rows[rows != UNKNOWN]
    if not known.size:
        raise InvalidInput(
            CANDIDATES,
            Fault.ALL_UNKNOWN,
            f"expected ids of pictures in the gallery, got {len(rows)} unknown ones; send none for the whole gallery",
        )
    return Candidates(np.unique(known), len(rows) - len(known))
