"""Known slopes, and the growth of series that are flat, grow, or fill once."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from perf.report.trend import growth

# Half an hour with a value every five seconds, around 100 with noise.
SECONDS = np.arange(0, 1800, 5.0)
NOISE = np.random.default_rng(0).normal(100, 1, len(SECONDS))


def test_growth_ignores_outliers() -> None:
    values = 100 + SECONDS / 18
    expected = growth(SECONDS, values).middle
    values[[3, 200, 300]] = 1e6, -1e6, 1e6
    assert growth(SECONDS, values).middle == pytest.approx(expected, rel=1e-3)


def test_growth_of_known_points() -> None:
    """The slopes between the last five points are -1, 0.5, 0.67, 1, 1, 1.25, 1.33, 1.5, 2 and 3; their level is 3."""
    seconds, values = np.arange(-3.0, 6), np.array([0, 0, 0, 0, 1.0, 2, 4, 3, 6])
    assert growth(seconds, values) == pytest.approx((8 / 3 * 1.125, 8 / 3 * -1, 8 / 3 * 3))


@pytest.mark.parametrize("count", [0, 4])
def test_growth_of_too_few_values_is_an_error(count: int) -> None:
    with pytest.raises(ValueError, match="expected at least three values in the second half"):
        growth(np.arange(float(count)), np.ones(count))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (NOISE, 0),
        (np.zeros_like(NOISE), 0),
        (NOISE + np.where(SECONDS < 60, 0, 300), 0),  # buffers fill once, at the start
        (NOISE + 50 * (1 - np.exp(-SECONDS / 100)), 0),
        (NOISE - SECONDS / 60, -0.39),
        (100 + SECONDS / 18, 100 / 175),
        (NOISE + SECONDS / 60, 0.25),  # 30 MB
        (np.full_like(NOISE, 100) + 10 * (SECONDS // 300), 0.35),  # in steps
    ],
)
def test_growth_is_a_share_of_the_level_of_the_second_half(values: NDArray[Any], expected: float) -> None:
    assert growth(SECONDS, values).middle == pytest.approx(expected, abs=0.02)
