"""Known slopes, and the growth of series that are flat, grow, or fill once."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from perf.report.trend import growth, theil_sen

# Half an hour with a value every five seconds, around 100 with noise.
SECONDS = np.arange(0, 1800, 5.0)
NOISE = np.random.default_rng(0).normal(100, 1, len(SECONDS))


def test_slope_of_a_line_ignores_outliers() -> None:
    x = np.arange(30.0)
    y = 2 * x + 5
    assert theil_sen(x, y) == pytest.approx((2, 2, 2))
    y[[3, 17, 28]] = 1e6, -1e6, 1e6
    assert theil_sen(x, y).middle == pytest.approx(2)


def test_slope_of_known_points() -> None:
    """The ten slopes are -1, 0.5, 0.67, 1, 1, 1.25, 1.33, 1.5, 2 and 3."""
    slope = theil_sen(np.array([1.0, 2, 3, 4, 5]), np.array([1.0, 2, 4, 3, 6]))
    assert slope == pytest.approx((1.125, -1, 3))


def test_interval_covers_the_true_slope_as_often_as_stated() -> None:
    rng, x = np.random.default_rng(1), np.arange(40.0)
    slopes = [theil_sen(x, 0.1 * x + rng.normal(0, 1, 40)) for _ in range(400)]
    assert 0.92 < np.mean([low <= 0.1 <= high for _, low, high in slopes]) < 0.98


@pytest.mark.parametrize("x", [[1.0, 2], [1.0, 2, 2]])
def test_slope_of_too_few_points_is_an_error(x: list[float]) -> None:
    with pytest.raises(ValueError, match="expected at least three points"):
        theil_sen(np.array(x), np.array(x))


def test_growth_of_an_empty_series_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected at least three values in the second half"):
        growth(np.empty(0), np.empty(0))


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
