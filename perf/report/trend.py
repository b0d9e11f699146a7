"""Whether a long series grows, by a slope that outliers do not bend."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Series = NDArray[Any]  # [N]


class Slope(NamedTuple):
    """A slope and its 95% interval."""

    middle: float
    low: float
    high: float


def theil_sen(x: Series, y: Series) -> Slope:
    """Return the median of the slopes between all pairs of points (Theil, 1950) and its interval (Sen, 1968).

    The interval assumes independent values; for others it is too narrow.

    Raises:
        ValueError: There are fewer than three points, or two at the same x.
    """
    if len(x) < 3 or len(np.unique(x)) < len(x):
        raise ValueError(f"expected at least three points at different x, got {len(x)} at {len(np.unique(x))}")
    result = stats.theilslopes(y, x, alpha=0.95)
    return Slope(float(result.slope), float(result.low_slope), float(result.high_slope))


def growth(seconds: Series, values: Series) -> Slope:
    """Return the growth of a series over its whole time, as a share of its level.

    The slope is that of the second half: buffers that fill once do so in the first. The level is the median of the
    second half.

    Raises:
        ValueError: The second half has fewer than three values.
    """
    if len(seconds) < 3:
        raise ValueError(f"expected at least three values in the second half, got {len(seconds)} in all")
    late = seconds >= (seconds[0] + seconds[-1]) / 2
    level = float(np.median(values[late]))
    scale = float(seconds[-1] - seconds[0]) / level if level else 0.0
    return Slope(*(scale * each for each in theil_sen(seconds[late], values[late])))
