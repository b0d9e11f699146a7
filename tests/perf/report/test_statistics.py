"""Statistics against textbook values, and against those of an independent implementation."""

from functools import partial

import numpy as np
import pytest

from perf.report.statistics import paired_bootstrap, sample_ratio_p


@pytest.mark.parametrize(
    ("first", "second", "p"),
    # chi-square is 0, 1, 4 and 9: as likely as a normal value beyond 0, 1, 2 and 3 standard deviations
    [(50, 50, 1), (55, 45, 0.3173), (40, 60, 0.0455), (65, 35, 0.0027)],
)
def test_sample_ratio_p(first: int, second: int, p: float) -> None:
    assert sample_ratio_p(first, second) == pytest.approx(p, abs=1e-4)


def test_sample_ratio_of_no_users_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected users in at least one arm, got 0 and 0"):
        sample_ratio_p(0, 0)


def test_sample_ratio_follows_the_weights() -> None:
    assert sample_ratio_p(900, 100, 0.9, 0.1) == 1
    assert sample_ratio_p(900, 100) < 1e-9


def test_bootstrap_interval_of_a_median_difference() -> None:
    """The literals come from plain numpy with 100,000 resamples."""
    rng = np.random.default_rng(7)
    first, second = rng.gamma(2, 5, 300), rng.gamma(2, 6, 300)
    low, high = paired_bootstrap(lambda one, other: float(np.median(other) - np.median(one)), first, second, seed=1)
    assert (low, high) == pytest.approx((1.232, 3.299), abs=0.1)


def test_bootstrap_keeps_pairs_together() -> None:
    values = np.random.default_rng(0).normal(0, 100, 50)
    median = partial(np.percentile, q=50)
    interval = paired_bootstrap(lambda one, other: float(median(one) - median(other)), values + 1, values, seed=1)
    assert list(interval) == pytest.approx([1, 1])


def test_bootstrap_ignores_draws_without_a_value() -> None:
    assert paired_bootstrap(lambda rows: float("nan") if 0 in rows else 7.0, np.arange(5), seed=1) == (7, 7)
