"""What tells a difference between two arms from chance; plain numpy."""

from collections.abc import Callable
from math import erfc, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def paired_bootstrap(
    statistic: Callable[[Indices], float], count: int, seed: int, resamples: int = 2000
) -> tuple[float, float]:
    """95 % percentile interval of a statistic over users drawn again with replacement (Efron, 1979).

    `statistic` gets the positions of the drawn users, int [count]; taking both arms at the same positions keeps
    the pairs together. Draws for which it is NaN are left out.
    """
    dice = np.random.default_rng(seed)
    values = [statistic(dice.integers(0, count, count)) for _ in range(resamples)]
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return float(low), float(high)


def sample_ratio(first: int, second: int) -> float:
    """p-value that both arms were meant to get as many (chi-square, one degree of freedom); an alarm below 0.001.

    Raises:
        ValueError: nobody was in either.
    """
    if first + second <= 0:
        raise ValueError("nobody was in either arm")
    return erfc(sqrt((first - second) ** 2 / (first + second) / 2))


def percentile_difference(one: NDArray[Any], other: NDArray[Any], rank: float) -> Callable[[Indices], float]:
    """For `paired_bootstrap`: a percentile of one arm minus that of the other, [N] each."""
    return lambda rows: float(np.percentile(one[rows], rank) - np.percentile(other[rows], rank))
