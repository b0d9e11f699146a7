"""Whether a series that is measured for long grows: a slope that single values cannot bend; plain numpy."""

from math import sqrt
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Of a normal value 95 % lie within so many standard deviations.
Z: Final = 1.96


class Slope(NamedTuple):
    """A slope and its 95 % interval."""

    middle: float
    low: float
    high: float


def theil_sen(x: NDArray[Any], y: NDArray[Any]) -> Slope:
    """The median of the slopes between all pairs of points, [N] each (Theil, 1950), and its interval (Sen, 1968).

    The interval is for values that do not depend on each other; of those that do it is too narrow.

    Raises:
        ValueError: fewer than three points, or two at the same x.
    """
    if len(x) < 3 or len(np.unique(x)) < len(x):
        raise ValueError(f"{len(x)} points at {len(np.unique(x))} places; expected three or more, each at its own")
    one, other = np.triu_indices(len(x), k=1)
    slopes = np.sort((y[other] - y[one]) / (x[other] - x[one]))
    half = Z * sqrt(_variance(y))
    low, high = round((len(slopes) - half) / 2), round((len(slopes) + half) / 2)
    return Slope(float(np.median(slopes)), float(slopes[max(low, 0)]), float(slopes[min(high, len(slopes) - 1)]))


def growth(seconds: NDArray[Any], values: NDArray[Any]) -> Slope:
    """By how much of its level a series grows, if it goes on for the whole of its time as in the second half of it.

    What fills up once, and stays, does so in the first half. The level is the median of the second.

    Raises:
        ValueError: fewer than three values in the second half.
    """
    if len(seconds) < 3:
        raise ValueError(f"{len(seconds)} values of a series; expected at least three in its second half")
    late = seconds >= (seconds[0] + seconds[-1]) / 2
    level = float(np.median(values[late]))
    scale = float(seconds[-1] - seconds[0]) / level if level else 0.0
    return Slope(*(scale * each for each in theil_sen(seconds[late], values[late])))


def _variance(values: NDArray[Any]) -> float:
    """Of Kendall's S, where values that are equal tell less."""
    ties = np.unique(values, return_counts=True)[1]

    def term(count: Any) -> Any:
        return count * (count - 1) * (2 * count + 5)

    return float((term(len(values)) - term(ties).sum()) / 18)
