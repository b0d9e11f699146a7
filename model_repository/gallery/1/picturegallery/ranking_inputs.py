"""What the ranker reads about one user, in fixed shapes, so that requests of several users form one batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .candidates import CANDIDATES, read_candidates
from .errors import Fault, InvalidInput
from .exploration import SEED, generator, gumbel_noise
from .files import Gallery, Ids
from .history import HISTORY, HISTORY_SIZE, read_history
from .lookup import PADDING, IdLookup
from .prerank import CANDIDATE_SIZE, PreRank
from .priors import log_odds, mean_likes, sampled_likes
from .vectors import Rows, Vector

Arrays = dict[str, NDArray[Any]]

# Inputs, the answer of a gender model: FP32 [2] and FP32 [256].
PROBABILITIES: Final = "PROBABILITIES"
# Only checked here: rank_embedding sends it to the ranker, too, whose ONNX graph refuses nothing.
EMBEDDING: Final = "EMBEDDING"
# In a list of a request.
MAX_IDS: Final = 1000

# Outputs, which the ranker reads. HISTORY_SIZE and CANDIDATE_SIZE places each; the masks say which are taken.
HISTORY_VECTORS: Final = "HISTORY_VECTORS"
HISTORY_MASK: Final = "HISTORY_MASK"
CANDIDATE_IDS: Final = "CANDIDATE_IDS"
CANDIDATE_VECTORS: Final = "CANDIDATE_VECTORS"
CANDIDATE_MASK: Final = "CANDIDATE_MASK"
CANDIDATE_PRIORS: Final = "CANDIDATE_PRIORS"
NOISE: Final = "NOISE"
EXPLORE: Final = "EXPLORE"


class RankingReader:
    """Answers requests for the ranker's inputs.

    Args:
        gallery: The pictures.
        vectors: Its vectors as float32, [N, D].
        prerank: Reduces many candidates.
    """

    def __init__(self, gallery: Gallery, vectors: NDArray[np.float32], prerank: PreRank) -> None:
        self._gallery, self._vectors, self._prerank = gallery, vectors, prerank
        self._lookup = IdLookup(gallery.ids)
        self._means = mean_likes(gallery.priors)
        self._mean_log_odds = log_odds(self._means)

    def answer(self, inputs: Mapping[str, NDArray[Any]], unknown: Counter[str]) -> Arrays:
        """Answer one request of B users.

        Args:
            inputs: `PROBABILITIES` [B, 2], and optionally `EMBEDDING` [B, 256], `HISTORY` [B, H], `CANDIDATES` [B, C]
                and `SEED` [B, 1].
            unknown: Ids that the gallery lacks are added to the count of their input.

        Returns:
            `HISTORY_VECTORS` to `EXPLORE`, with the sizes of `ranker/config.pbtxt`.

        Raises:
            InvalidInput: A list is too long, no candidate is known, the seed is negative, a probability is none, or the
                embedding is not finite.
        """
        probabilities = inputs[PROBABILITIES]
        none = np.full((len(probabilities), 1), PADDING)
        embeddings, histories, candidates, seeds = (
            inputs.get(name, none) for name in (EMBEDDING, HISTORY, CANDIDATES, SEED)
        )
        users = []
        for index, row in enumerate(zip(probabilities, embeddings, histories, candidates, seeds[:, 0], strict=True)):
            try:
                users.append(self._read(*row, unknown))
            except InvalidInput as exc:
                if len(probabilities) > 1:
                    exc.args = (f"{exc} (row {index} of {len(probabilities)})",)
                raise
        if len(users) == 1:
            return {name: array[np.newaxis] for name, array in users[0].items()}
        return {name: np.stack([user[name] for user in users]) for name in users[0]}

    def _read(
        self,
        probabilities: Vector,
        embedding: Vector,
        history: Ids,
        candidates: Ids,
        seed: np.int64,
        unknown: Counter[str],
    ) -> Arrays:
        """Return the tensors of one user."""
        if not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise InvalidInput(PROBABILITIES, Fault.NO_PROBABILITY, "expected numbers from 0 to 1")
        if not np.isfinite(embedding).all():
            raise InvalidInput(EMBEDDING, Fault.NOT_FINITE, "expected finite numbers, those of a prediction")
        for name, ids in ((HISTORY, history), (CANDIDATES, candidates)):
            if len(ids) > MAX_IDS:
                raise InvalidInput(name, Fault.TOO_MANY_IDS, f"expected at most {MAX_IDS} ids, got {len(ids)}")
        rng = generator(int(seed))
        liked = read_history(history, self._lookup)
        chosen = read_candidates(candidates, self._lookup, len(self._gallery))
        unknown.update({HISTORY: liked.unknown, CANDIDATES: chosen.unknown})
        vectors = self._vectors[liked.rows]
        rows, priors = self._best(chosen.rows, self._prerank.user(vectors, probabilities), rng)
        return {
            HISTORY_VECTORS: _padded(vectors, HISTORY_SIZE),
            HISTORY_MASK: np.arange(HISTORY_SIZE) < len(vectors),
            CANDIDATE_IDS: _padded(self._gallery.ids[rows], CANDIDATE_SIZE),
            CANDIDATE_VECTORS: _padded(self._vectors[rows], CANDIDATE_SIZE),
            CANDIDATE_MASK: np.arange(CANDIDATE_SIZE) < len(rows),
            CANDIDATE_PRIORS: _padded(priors, CANDIDATE_SIZE),
            NOISE: _padded(gumbel_noise(len(rows), rng), CANDIDATE_SIZE)
            if rng
            else np.zeros(CANDIDATE_SIZE, np.float32),
            EXPLORE: np.array([rng is not None]),
        }

    def _best(self, rows: Rows, user: Vector, rng: np.random.Generator | None) -> tuple[Rows, NDArray[np.float32]]:
        """The rows that the ranker reads, and their P(like)."""
        # A slice makes no copy; the whole gallery may be large.
        chosen = slice(None) if len(rows) == len(self._gallery) else rows
        if rng is None:
            priors, logits = self._means[chosen], self._mean_log_odds[chosen]
        else:
            priors = sampled_likes(self._gallery.priors[chosen], rng)
            logits = log_odds(priors)
        kept = self._prerank.keep(user, self._vectors[chosen], logits)
        return rows[kept], priors[kept]


def _padded(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Extend the first dimension to `size` with zeros."""
    padded = np.zeros((size, *array.shape[1:]), array.dtype)
    padded[: len(array)] = array
    return padded
