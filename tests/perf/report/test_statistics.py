"""The statistics against values known from textbooks."""

import numpy as np
import pytest

from perf.report.statistics import paired_bootstrap, percentile_difference, sample_ratio


@pytest.mark.parametrize(
    ("first", "second", "p"),
    # chi-square is 0, 1, 4 and 9: as likely as a normal value beyond 0, 1, 2 and 3 standard deviations
    [(50, 50, 1), (55, 45, 0.3173), (40, 60, 0.0455), (65, 35, 0.0027)],
)
def test_sample_ratio(first: int, second: int, p: float) -> None:
    assert sample_ratio(first, second) == pytest.approx(p, abs=1e-4)


def test_nobody_has_no_ratio() -> None:
    with pytest.raises(ValueError, match="nobody was in either arm"):
        sample_ratio(0, 0)


def test_the_bootstrap_interval_of_a_mean_is_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(3, 2, 4000)
    found = paired_bootstrap(lambda rows: float(values[rows].mean()), len(values), seed=1)
    half = 1.96 * 2 / np.sqrt(4000)
    assert list(found) == pytest.approx([values.mean() - half, values.mean() + half], abs=0.01)


def test_pairs_stay_together() -> None:
    """Arms that vary together by much differ by exactly one for everybody."""
    one = np.random.default_rng(0).normal(0, 100, 50)
    found = paired_bootstrap(percentile_difference(one + 1, one, 50), 50, seed=1)
    assert list(found) == pytest.approx([1, 1])


def test_draws_without_a_value_are_left_out() -> None:
    assert paired_bootstrap(lambda rows: float("nan") if 0 in rows else 7.0, 5, seed=1) == (7, 7)
