"""The first of two rankings: linear towers reduce any number of pictures to as many as the ranker reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from .errors import GalleryError

FILE: Final = "prerank.npz"
# How many candidates the ranker reads.
CANDIDATE_SIZE: Final = 200


@dataclass(frozen=True)
class PreRank:
    """Two linear towers and their inner product; V is the size of a picture's vector.

    Attributes:
        history: Weights of the mean vector of the liked pictures, float32 [V, V].
        null_history: Stands for that mean if the user liked nothing yet, float32 [V].
        probabilities: Weights of P(male) and P(female), float32 [2, V].
        bias: What every user shares, float32 [V].
        prior: Weight of the logit of a picture's own P(like), float32 [].
    """

    history: NDArray[np.float32]
    null_history: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    bias: NDArray[np.float32]
    prior: NDArray[np.float32] | np.float32

    @classmethod
    def load(cls, file: Path, size: int) -> PreRank:
        """Read the weights that training wrote for vectors of `size` numbers.

        If the file does not exist, popular pictures that resemble the liked ones are kept.

        Raises:
            GalleryError: The file is no file of such weights.
        """
        square, flat = (size, size), (size,)
        if not file.is_file():
            zeros = np.zeros(flat, np.float32)
            return cls(np.eye(size, dtype=np.float32), zeros, np.zeros((2, size), np.float32), zeros, np.float32(1))
        shapes = {"history": square, "null_history": flat, "probabilities": (2, size), "bias": flat, "prior": ()}
        try:
            with np.load(file) as weights:
                arrays = {name: weights[name].astype(np.float32) for name in shapes}
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as exc:
            raise GalleryError(f"{file} cannot be read: {exc}; train the pre-rank again") from exc
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise GalleryError(f"{file}: expected {name} of shape {shape}, got {arrays[name].shape}")
        return cls(**arrays)

    def user(self, liked: NDArray[np.float32], probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vector of a user, float32 [V], from vectors of liked pictures, [H, V], and probabilities, [2]."""
        mean = liked.mean(axis=0) if len(liked) else self.null_history
        return mean @ self.history + probabilities @ self.probabilities + self.bias

    def keep(
        self, user: NDArray[np.float32], vectors: NDArray[np.float32], log_odds: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """The places of the `CANDIDATE_SIZE` best pictures, in order of place.

        Args:
            user: What `user` returned, [V].
            vectors: Pictures, [C, V].
            log_odds: The logits of their own P(like), [C].
        """
        if len(vectors) <= CANDIDATE_SIZE:
            return np.arange(len(vectors))
        scores = vectors @ user + self.prior * log_odds
        return np.sort(np.argpartition(-scores, CANDIDATE_SIZE)[:CANDIDATE_SIZE])
