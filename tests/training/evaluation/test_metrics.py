"""Metrics equal numbers calculated by hand."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.metrics import (
    auc,
    confusion,
    coverage_accuracy,
    coverage_at,
    expected_calibration_error,
    reliability,
    summary,
    threshold_for,
    wilson_interval,
)

LABELS = np.array([1.0, 0.0, 1.0, 0.0])
P_FEMALE = np.array([0.9, 0.2, 0.4, 0.3])
ALL = np.ones(4, np.bool_)


@pytest.mark.parametrize(("correct", "interval"), [(8, (0.4902, 0.9433)), (0, (0.0, 0.2775)), (10, (0.7225, 1.0))])
def test_wilson_interval(correct: int, interval: tuple[float, float]) -> None:
    assert wilson_interval(correct, 10) == pytest.approx(interval, abs=1e-4)


def test_wilson_interval_needs_samples() -> None:
    with pytest.raises(ValueError, match="n must be an integer not less than 1"):
        wilson_interval(0, 0)


@pytest.mark.parametrize(
    ("scores", "area"),
    [([0.9, 0.2, 0.4, 0.3], 1.0), ([0.1, 0.8, 0.2, 0.9], 0.0), ([0.5] * 4, 0.5), ([0.9, 0.3, 0.3, 0.1], 0.875)],
)
def test_auc(scores: list[float], area: float) -> None:
    assert auc(LABELS, np.array(scores)) == pytest.approx(area)


def test_reliability_bins() -> None:
    # Confidences 0.9, 0.8, 0.6 (wrong) and 0.7, in bins of a quarter.
    counts, confidence, accuracy = reliability(LABELS, P_FEMALE, bins=4)
    assert counts.tolist() == [0, 0, 2, 2]
    assert confidence == pytest.approx([math.nan, math.nan, 0.65, 0.85], nan_ok=True)
    assert accuracy == pytest.approx([math.nan, math.nan, 0.5, 1.0], nan_ok=True)
    assert reliability(LABELS, LABELS).counts.tolist() == [0] * 14 + [4]


def test_expected_calibration_error() -> None:
    assert expected_calibration_error(LABELS, P_FEMALE) == pytest.approx((0.1 + 0.2 + 0.6 + 0.3) / 4)
    # In one bin, the mean confidence 0.75 equals the accuracy.
    assert expected_calibration_error(LABELS, P_FEMALE, bins=1) == pytest.approx(0.0)
    assert expected_calibration_error(LABELS, LABELS) == 0


@pytest.mark.parametrize(
    ("has_input", "unknown_below", "counts"),
    [
        (ALL, 0.0, [[2, 0, 0], [1, 1, 0]]),
        (ALL, 0.75, [[1, 0, 1], [0, 1, 1]]),
        (ALL, 0.9, [[0, 0, 2], [0, 1, 1]]),
        (~ALL, 0.0, [[0, 0, 2], [0, 0, 2]]),
    ],
)
def test_confusion(has_input: NDArray[np.bool_], unknown_below: float, counts: list[list[int]]) -> None:
    assert confusion(LABELS, P_FEMALE, has_input, unknown_below).tolist() == counts


@pytest.mark.parametrize(
    ("precision", "threshold"),
    [
        (0.5, 0.5),  # decides all four, three correctly
        (0.75, 0.5),
        (0.8, 0.71),  # excludes the wrong 0.7, so both decisions are correct
        (1.0, 0.71),
    ],
)
def test_threshold_for_a_precision(precision: float, threshold: float) -> None:
    labels, p_female = np.array([1.0, 0.0, 0.0, 1.0]), np.array([0.9, 0.2, 0.7, 0.6])
    assert threshold_for(precision, labels, p_female, ALL) == threshold


def test_unreachable_precision_has_threshold_1() -> None:
    p_female = np.array([0.99, 0.02])
    assert threshold_for(0.6, np.array([0.0, 1.0]), p_female, ALL[:2]) == 1.0
    assert threshold_for(0.6, np.array([1.0, 0.0]), p_female, ~ALL[:2]) == 1.0


def test_coverage_at_a_threshold() -> None:
    labels, p_female = np.array([1.0, 0.0, 1.0, 1.0]), np.array([0.9, 0.7, 0.6, 0.95])
    has_input = np.array([True, True, True, False])
    assert coverage_at(0.7, labels, p_female, has_input) == (0.5, 0.5)
    assert np.isnan(coverage_at(0.96, labels, p_female, has_input)[1])


def test_coverage_accuracy() -> None:
    thresholds, coverage, decided, correct = coverage_accuracy(LABELS, P_FEMALE, ALL)
    assert thresholds == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert decided.tolist() == [1, 2, 3, 4]
    assert correct.tolist() == [1, 2, 3, 3]
    assert [len(column) for column in coverage_accuracy(LABELS, P_FEMALE, ~ALL)] == [0] * 4


def test_coverage_accuracy_equals_a_loop_with_ties() -> None:
    rng = np.random.default_rng(3)
    labels, has_input = rng.integers(0, 2, 200).astype(float), rng.random(200) < 0.8
    p_female = rng.integers(0, 17, 200) / 16
    curve = coverage_accuracy(labels, p_female, has_input)
    assert curve.thresholds.tolist() == [x / 16 for x in range(16, 7, -1)]
    for threshold, coverage, decided, correct in zip(*curve, strict=True):
        users = [
            (label, p)
            for label, p, given in zip(labels, p_female, has_input, strict=True)
            if given and max(p, 1 - p) >= threshold
        ]
        assert (decided, coverage) == (len(users), len(users) / 200)
        assert correct == sum((p >= 0.5) == (label == 1) for label, p in users)


def test_summary() -> None:
    assert summary(LABELS, P_FEMALE) == {
        "users": 4,
        "accuracy": 0.75,
        "accuracy_low": 0.3006,
        "accuracy_high": 0.9544,
        "auc": 1.0,
        "ece": 0.3,
        "recall_male": 1.0,
        "recall_female": 0.5,
        "log_loss": round(-(math.log(0.9) + math.log(0.8) + math.log(0.4) + math.log(0.7)) / 4, 4),
    }


def test_interval_of_equal_identities_is_that_of_one_user_each() -> None:
    labels, p_female = np.ones(6), np.full(6, 0.9)
    metrics = summary(labels, p_female, np.array([0, 0, 0, 1, 1, 1]))
    assert (metrics["accuracy_low"], metrics["accuracy_high"]) == pytest.approx(wilson_interval(2, 2), abs=1e-4)
    one = summary(labels, np.where(np.arange(6) < 3, 0.9, 0.1), np.zeros(6, int))
    assert one["accuracy_high"] - one["accuracy_low"] > 0.5


def test_summary_of_one_class() -> None:
    metrics = summary(np.ones(2), np.array([0.9, 0.0]))
    assert (metrics["recall_female"], metrics["recall_male"], metrics["auc"]) == (0.5, None, None)
    assert math.isfinite(metrics["log_loss"])
