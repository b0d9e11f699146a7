"""Slopes that are known, and series that are flat, grow, or fill up once."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from perf.report.trend import growth, theil_sen
from reliability.soak.report import FLAT, HELD, verdict

# Half an hour, a value every five seconds, around a hundred with some noise.
SECONDS = np.arange(0, 1800, 5.0)
NOISE = np.random.default_rng(0).normal(100, 1, len(SECONDS))


def test_a_line_has_its_slope_despite_outliers() -> None:
    x = np.arange(30.0)
    y = 2 * x + 5
    assert theil_sen(x, y) == pytest.approx((2, 2, 2))
    y[[3, 17, 28]] = 1e6, -1e6, 1e6
    assert theil_sen(x, y).middle == pytest.approx(2)


def test_the_interval_of_known_points() -> None:
    """By hand: ten slopes, S with a variance of 5·4·15/18 = 16.7, so 1.96·4.08 = 8 of them lie within."""
    found = theil_sen(np.array([1.0, 2, 3, 4, 5]), np.array([1.0, 2, 4, 3, 6]))
    slopes = [1, 1.5, 2 / 3, 1.25, 2, 0.5, 4 / 3, -1, 1, 3]
    assert found == pytest.approx((np.median(slopes), sorted(slopes)[1], sorted(slopes)[9]))


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    dice, x = np.random.default_rng(1), np.arange(40.0)
    found = [theil_sen(x, 0.1 * x + dice.normal(0, 1, 40)) for _ in range(400)]
    assert 0.92 < np.mean([low <= 0.1 <= high for _, low, high in found]) < 0.98


@pytest.mark.parametrize("x", [[1.0, 2], [1.0, 2, 2]])
def test_too_few_points_are_an_error(x: list[float]) -> None:
    with pytest.raises(ValueError, match="expected three or more"):
        theil_sen(np.array(x), np.array(x))


def test_too_short_a_series_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected at least three in its second half"):
        growth(np.empty(0), np.empty(0))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (NOISE, FLAT),
        (np.full_like(NOISE, 7), FLAT),
        (np.zeros_like(NOISE), FLAT),
        (NOISE + np.where(SECONDS < 60, 0, 300), FLAT),  # buffers fill once, at the start
        (NOISE + 50 * (1 - np.exp(-SECONDS / 100)), FLAT),
        (NOISE - SECONDS / 60, FLAT),
        (NOISE + SECONDS / 60, "grows"),  # by 30 MB
        (np.full_like(NOISE, 100) + 10 * (SECONDS // 300), "grows"),  # now and then
        (100 * NOISE - 9900, "too unsteady to tell"),
    ],
)
def test_what_grows_is_told_from_what_does_not(values: NDArray[Any], found: str) -> None:
    assert verdict(growth(SECONDS, values), HELD) == found


def test_growth_is_a_share_of_the_level() -> None:
    grown = growth(SECONDS, 100 + SECONDS / 18)
    assert grown.middle == pytest.approx(100 / 175, rel=0.01)
