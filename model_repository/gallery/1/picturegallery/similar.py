"""The answer of the ensemble similar: the pictures of the gallery that are most similar to a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import Fault, InvalidInput
from .files import Gallery
from .lookup import UNKNOWN, IdLookup
from .tensors import DEFAULT_K, MAX_K, NO_ID, NO_SCORE, PICTURE, PICTURE_ID, PICTURES, SCORES, VECTOR, K
from .vectors import Search, Vector

Arrays = dict[str, NDArray[Any]]


class SimilarPictures:
    """Answers requests for similar pictures.

    Args:
        gallery: The pictures.
        search: Search in the vectors of `gallery`.
    """

    def __init__(self, gallery: Gallery, search: Search) -> None:
        self._gallery, self._search = gallery, search
        self._lookup = IdLookup(gallery.ids)

    def answer(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        """Answer one request of B rows.

        Args:
            inputs: `VECTOR` `[B, D]`, zeros for a missing picture, and optionally `PICTURE_ID` and `K`, `[B, 1]` each.

        Returns:
            `PICTURES` and `SCORES`, `[B, the largest K of the rows]`.

        Raises:
            InvalidInput: A row has neither a picture nor an id, or both, an unknown id, or K out of range; or there are
                no vectors.
        """
        if (vectors := inputs.get(VECTOR)) is None:
            raise InvalidInput(VECTOR, Fault.MISSING, "expected one for each picture; call the ensemble similar")
        absent = np.full((len(vectors), 1), NO_ID)
        ids, ks = inputs.get(PICTURE_ID, absent)[:, 0], inputs.get(K, np.full_like(absent, DEFAULT_K))[:, 0]
        if not ((ks >= 1) & (ks <= MAX_K)).all():
            raise InvalidInput(K, Fault.OUT_OF_RANGE, f"expected 1 to {MAX_K} pictures")
        pictures = np.full((len(vectors), int(ks.max())), NO_ID, np.int64)
        scores = np.full(pictures.shape, NO_SCORE, np.float32)
        for index, (vector, picture, k) in enumerate(zip(vectors, ids, ks.tolist(), strict=True)):
            try:
                query, own = self._query(vector, picture)
            except InvalidInput as exc:
                if len(vectors) > 1:
                    exc.args = (f"{exc} (row {index} of {len(vectors)})",)
                raise
            rows, found = self._search.nearest(query, k, own)
            pictures[index, : len(rows)], scores[index, : len(rows)] = self._gallery.ids[rows], found
        return {PICTURES: pictures, SCORES: scores}

    def _query(self, vector: Vector, picture: np.int64) -> tuple[Vector, int | None]:
        """Return the vector to search with, and the row of the picture that it belongs to."""
        if picture == NO_ID:
            if not vector.any():
                message = f"empty, or plain gray or white; send a picture, or an id as {PICTURE_ID}"
                raise InvalidInput(PICTURE, Fault.MISSING, message)
            return vector, None
        if vector.any():
            message = "expected either a picture or an id, got both; leave one out"
            raise InvalidInput(PICTURE_ID, Fault.AMBIGUOUS, message)
        row = int(self._lookup.rows(np.array([picture]))[0])
        if row == UNKNOWN:
            message = f"not in this gallery of {len(self._gallery)} pictures; send a known id"
            raise InvalidInput(PICTURE_ID, Fault.ALL_UNKNOWN, message)
        return np.asarray(self._gallery.vectors[row], np.float32), row
