"""Figures at the true prevalence, against literal numbers and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve

from training.curation.prevalence import curve, precision_at, precision_interval

# Methods reference, section 4.9: with these rates, precision is .95 and recall .94.
POSITIVE = np.array([True, True, False, True, False, False, False, False])
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.4, 0.1])


@pytest.mark.parametrize(("prevalence", "rate"), [(1e-3, 4.952e-5), (5e-4, 2.475e-5), (1e-4, 4.948e-6)])
def test_precision_of_article_003(prevalence: float, rate: float) -> None:
    assert precision_at(0.94, rate, prevalence) == pytest.approx(0.95, abs=1e-3)


def test_one_percent_of_errors_leave_a_precision_of_nine_percent() -> None:
    assert precision_at(0.99, 0.01, 1e-3) == pytest.approx(0.09, abs=1e-3)
    assert np.isnan(precision_at(0, 0, 1e-3))


def test_points_of_a_curve() -> None:
    points = curve(POSITIVE, SCORES, 0.5)
    assert points.thresholds.tolist() == [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.1]
    assert points.recall == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1, 1, 1, 1])
    assert points.precision == pytest.approx([1, 1, 1 / 1.3, 1 / 1.2, 1 / 1.4, 1 / 1.8, 0.5])
    assert points.at_recall(0.9) == pytest.approx((0.6, 1 / 1.2, 1))
    assert points.at_precision(0.9) == pytest.approx((0.8, 1, 2 / 3))
    assert points.at_precision(0.8) == pytest.approx((0.6, 1 / 1.2, 1))


def test_a_precision_out_of_reach_means_that_nothing_is_positive() -> None:
    point = curve(~POSITIVE, SCORES, 0.01).at_precision(0.9)
    assert (point.threshold, point.recall) == (np.inf, 0)


def test_curve_equals_that_of_scikit_learn_with_weights() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(500) < 0.3
    scores = np.round(rng.normal(size=500) + positive, 1)
    weights = np.where(positive, 0.001 / positive.sum(), 0.999 / (~positive).sum())
    precision, recall, thresholds = precision_recall_curve(positive, scores, sample_weight=weights)
    points = curve(positive, scores, 0.001)
    assert points.thresholds[::-1] == pytest.approx(thresholds)
    assert points.precision[::-1] == pytest.approx(precision[:-1])
    assert points.recall[::-1] == pytest.approx(recall[:-1])
    expected = average_precision_score(positive, scores, sample_weight=weights)
    assert points.average_precision() == pytest.approx(expected)


def test_an_interval_without_false_positives_is_not_a_point() -> None:
    low, high = precision_interval(94, 100, 0, 20_000, 1e-3)
    assert low == pytest.approx(0.82, abs=0.02)
    assert high == 1


def test_a_curve_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="got 0 and 8"):
        curve(np.zeros(8, bool), SCORES, 0.001)
