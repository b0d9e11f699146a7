"""What the ranker reads about one user, in fixed shapes, so that requests of several users form one batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .candidates import CANDIDATES, read_candidates
from .errors import Fault, InvalidInput
from .exploration import generator, gumbel_noise
from .history import HISTORY, HISTORY_SIZE, read_history
from .lookup import IdLookup
from .prerank import CANDIDATE_SIZE, PreRank
from .priors import mean_likes, sampled_likes

MAX_IDS: Final = 1000

HISTORY_VECTORS: Final = "HISTORY_VECTORS"
HISTORY_MASK: Final = "HISTORY_MASK"
CANDIDATE_IDS: Final = "CANDIDATE_IDS"
CANDIDATE_VECTORS: Final = "CANDIDATE_VECTORS"
CANDIDATE_MASK: Final = "CANDIDATE_MASK"
CANDIDATE_PRIORS: Final = "CANDIDATE_PRIORS"
NOISE: Final = "NOISE"
EXPLORE: Final = "EXPLORE"


@dataclass(frozen=True)
class Pictures:
    """A gallery of N pictures with vectors of V numbers.

    Attributes:
        ids: Distinct, int64 [N].
        vectors: Unit vectors, float32 [N, V].
        counts: Likes and shows, float32 [N, 2].
    """

    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    counts: NDArray[np.float32]


@dataclass(frozen=True)
class RankingInputs:
    """The tensors of one user by name, and how many ids of each input were unknown."""

    tensors: dict[str, NDArray[np.generic]]
    unknown: dict[str, int]


class RankingReader:
    """Turns the ids of a request into the ranker's inputs."""

    def __init__(self, pictures: Pictures, prerank: PreRank) -> None:
        self._pictures = pictures
        self._lookup = IdLookup(pictures.ids)
        self._means = mean_likes(pictures.counts)
        self._prerank = prerank

    def read(
        self,
        probabilities: NDArray[np.float32],
        history: NDArray[np.int64],
        candidates: NDArray[np.int64],
        seed: int,
    ) -> RankingInputs:
        """Return the inputs for one user.

        Args:
            probabilities: P(male) and P(female), [2]; the pre-rank reads them.
            history: Ids of liked pictures, newest first, [H].
            candidates: Ids of the pictures to choose from, [C]; empty for the whole gallery.
            seed: Repeats the random choices of exploration; `NO_SEED` for none.

        Raises:
            InvalidInput: A list is too long, no candidate is known, or the seed is negative.
        """
        for name, ids in ((HISTORY, history), (CANDIDATES, candidates)):
            if len(ids) > MAX_IDS:
                raise InvalidInput(name, Fault.TOO_MANY_IDS, f"expected at most {MAX_IDS} ids, got {len(ids)}")
        rng = generator(seed)
        liked = read_history(history, self._lookup)
        chosen = read_candidates(candidates, self._lookup, len(self._pictures.ids))
        vectors = self._pictures.vectors[liked.rows]
        rows, priors = self._best(chosen.rows, self._prerank.user(vectors, probabilities), rng)
        tensors = {
            HISTORY_VECTORS: _padded(vectors, HISTORY_SIZE),
            HISTORY_MASK: _padded(np.ones(len(vectors), np.bool_), HISTORY_SIZE),
            CANDIDATE_IDS: _padded(self._pictures.ids[rows], CANDIDATE_SIZE),
            CANDIDATE_VECTORS: _padded(self._pictures.vectors[rows], CANDIDATE_SIZE),
            CANDIDATE_MASK: _padded(np.ones(len(rows), np.bool_), CANDIDATE_SIZE),
            CANDIDATE_PRIORS: _padded(priors, CANDIDATE_SIZE),
            NOISE: _padded(gumbel_noise(len(rows), rng) if rng else np.zeros(0, np.float32), CANDIDATE_SIZE),
            EXPLORE: np.array([rng is not None]),
        }
        return RankingInputs(tensors, {HISTORY: liked.unknown, CANDIDATES: chosen.unknown})

    def _best(
        self, rows: NDArray[np.int64], user: NDArray[np.float32], rng: np.random.Generator | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The rows that the ranker reads, and their P(like)."""
        # A slice makes no copy; the whole gallery may be large.
        chosen = slice(None) if len(rows) == len(self._pictures.ids) else rows
        priors = self._means[chosen] if rng is None else sampled_likes(self._pictures.counts[chosen], rng)
        kept = self._prerank.keep(user, self._pictures.vectors[chosen], priors)
        return rows[kept], priors[kept]


def _padded(array: NDArray[np.generic], size: int) -> NDArray[np.generic]:
    """Extend the first dimension to `size` with zeros."""
    padded = np.zeros((size, *array.shape[1:]), array.dtype)
    padded[: len(array)] = array
    return padded
