"""Random choices that a seed repeats."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .errors import Fault, InvalidInput

SEED: Final = "SEED"
# In a request of several users, marks those who get no exploration.
NO_SEED: Final = -1


def generator(seed: int) -> np.random.Generator | None:
    """The generator of a seed, None without exploration.

    Raises:
        InvalidInput: The seed is negative.
    """
    if seed == NO_SEED:
        return None
    if seed < 0:
        raise InvalidInput(SEED, Fault.NEGATIVE, f"expected 0 or more, or {NO_SEED} for no exploration")
    return np.random.default_rng(seed)


def gumbel_noise(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Standard Gumbel noise, float32 [size].

    Sorting logits + noise draws a list from the Plackett–Luce model of the logits (Kool et al., arXiv 1903.06059).
    """
    return rng.gumbel(size=size).astype(np.float32)
