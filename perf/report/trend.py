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


def growth(seconds: Series, values: Series) -> Slope:
    """Return the growth of a series over its whole time, as a share of its level.

    It is the Theil-Sen slope of the second half (Theil, 1950; its interval: Sen, 1968), because buffers that fill once
    do so in the first. The level is the median of the second half. The interval assumes independent values; for others
    it is too narrow.

    Raises:
        ValueError: The second half has fewer than three values.
    """
    late = seconds >= (seconds[:1] + seconds[-1:]) / 2
    if late.sum() < 3:
        raise ValueError(f"expected at least three values in the second half, got {late.sum()}")
    level = float(np.median(values[late]))
    scale = float(seconds[-1] - seconds[0]) / level if level else 0.0
    result = stats.theilslopes(values[late], seconds[late])
    return Slope(*(scale * float(each) for each in (result.slope, result.low_slope, result.high_slope)))
