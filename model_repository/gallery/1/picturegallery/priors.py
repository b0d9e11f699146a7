"""What is known about a picture before the user is: the share of those who saw it and liked it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Draws stay away from 0 and 1, whose logits are infinite.
_MARGIN: Final = 1e-6


def log_odds(p: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits of probabilities strictly between 0 and 1, float32 [M]."""
    odds: NDArray[np.float32] = p / (1 - p)
    return np.log(odds)


def mean_likes(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """The expected P(like) of pictures, float32 [M], from likes and shows, float32 [M, 2].

    It is the mean of Beta(likes + 1, shows − likes + 1): 1/2 for a picture that was never shown.
    """
    likes, shows = counts[:, 0], counts[:, 1]
    return (likes + 1) / (shows + 2)


def sampled_likes(counts: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Thompson sampling: P(like) of pictures, drawn from Beta(likes + 1, shows − likes + 1), float32 [M].

    The fewer shows, the wider the draw, so that new pictures get their chance.
    """
    likes, shows = counts[:, 0].astype(np.float64), counts[:, 1].astype(np.float64)
    draws = rng.beta(likes + 1, shows - likes + 1).clip(_MARGIN, 1 - _MARGIN)
    return draws.astype(np.float32)
