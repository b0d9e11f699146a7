"""Metrics against numbers worked out by hand."""

import math

import numpy as np
import pytest

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
PROBABILITIES = np.array([0.9, 0.2, 0.4, 0.3])


def test_wilson_interval() -> None:
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_wilson_interval_needs_samples() -> None:
    with pytest.raises(ValueError, match="n"):
        wilson_interval(0, 0)


@pytest.mark.parametrize(
    ("scores", "area"),
    [([0.9, 0.2, 0.4, 0.3], 1.0), ([0.1, 0.8, 0.2, 0.9], 0.0), ([0.5] * 4, 0.5), ([0.9, 0.3, 0.3, 0.1], 0.875)],
)
def test_auc(scores: list[float], area: float) -> None:
    assert auc(LABELS, np.array(scores)) == pytest.approx(area)


def test_auc_of_one_class_is_undefined() -> None:
    assert math.isnan(auc(np.ones(3), np.array([0.1, 0.2, 0.3])))


def test_log_loss() -> None:
    expected = -(math.log(0.9) + math.log(0.8) + math.log(0.4) + math.log(0.7)) / 4
    assert summary(LABELS, PROBABILITIES)["log_loss"] == pytest.approx(expected, abs=1e-4)
    assert math.isfinite(summary(LABELS, LABELS[::-1])["log_loss"])


def test_expected_calibration_error() -> None:
    # Confidences .9 (right), .8 (right), .6 (wrong), .7 (right), each in a bin of its own.
    assert expected_calibration_error(LABELS, PROBABILITIES) == pytest.approx((0.1 + 0.2 + 0.6 + 0.3) / 4)
    # All in one bin: mean confidence .75, three of four right.
    assert expected_calibration_error(LABELS, PROBABILITIES, bins=1) == pytest.approx(0.0)
    assert expected_calibration_error(LABELS, LABELS) == 0


def test_reliability() -> None:
    # Confidences .9, .8, .6 (the only wrong one) and .7, in bins of a quarter.
    counts, confidence, accuracy = reliability(LABELS, PROBABILITIES, bins=4)
    assert counts.tolist() == [0, 0, 2, 2]
    assert confidence == pytest.approx([math.nan, math.nan, 0.65, 0.85], nan_ok=True)
    assert accuracy == pytest.approx([math.nan, math.nan, 0.5, 1.0], nan_ok=True)


def test_a_sure_answer_is_in_the_last_bin() -> None:
    assert reliability(LABELS, LABELS).counts.tolist() == [0] * 14 + [4]


def test_confusion() -> None:
    shown = np.array([True, True, True, True])
    assert confusion(LABELS, PROBABILITIES, shown, unknown_below=0.0).tolist() == [[2, 0, 0], [1, 1, 0]]
    assert confusion(LABELS, PROBABILITIES, shown, unknown_below=0.75).tolist() == [[1, 0, 1], [0, 1, 1]]
    assert confusion(LABELS, PROBABILITIES, ~shown, unknown_below=0.0).tolist() == [[0, 0, 2], [0, 0, 2]]


def test_a_probability_at_the_threshold_is_decided() -> None:
    one = np.ones(1)
    assert confusion(one, 0.75 * one, one == 1, unknown_below=0.75).tolist() == [[0, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        (0.5, 0.5),  # all four decided, three of them right
        (0.75, 0.5),
        (0.8, 0.71),  # without the wrong 0.7, both sure ones are right
        (1.0, 0.71),
    ],
)
def test_threshold_for_a_precision(precision: float, expected: float) -> None:
    labels = np.array([1.0, 0.0, 0.0, 1.0])
    probabilities = np.array([0.9, 0.2, 0.7, 0.6])
    assert threshold_for(precision, labels, probabilities, np.ones(4, np.bool_)) == expected


def test_decided() -> None:
    labels, probabilities = np.array([1.0, 0.0, 1.0, 1.0]), np.array([0.9, 0.7, 0.6, 0.95])
    shown = np.array([True, True, True, False])
    assert coverage_at(0.7, labels, probabilities, shown) == (0.5, 0.5)
    assert np.isnan(coverage_at(0.96, labels, probabilities, ~shown)[1])


def test_no_threshold_will_do() -> None:
    wrong, everybody = np.array([0.99, 0.02]), np.ones(2, np.bool_)
    assert threshold_for(0.6, np.array([0.0, 1.0]), wrong, everybody) == 1.0
    assert threshold_for(0.6, np.array([1.0, 0.0]), wrong, ~everybody) == 1.0


def test_recalls() -> None:
    found = summary(np.array([1.0, 1.0, 0.0]), np.array([0.9, 0.4, 0.2]))
    assert (found["recall_female"], found["recall_male"]) == (0.5, 1.0)
    assert summary(np.array([1.0]), np.array([0.9]))["recall_male"] is None


def test_coverage_accuracy() -> None:
    thresholds, coverage, decided, correct = coverage_accuracy(LABELS, PROBABILITIES, np.ones(4, np.bool_))
    assert thresholds == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert decided.tolist() == [1, 2, 3, 4]
    assert correct.tolist() == [1, 2, 3, 3]


def test_coverage_accuracy_against_a_loop_with_ties_and_users_who_show_nothing() -> None:
    dice = np.random.default_rng(3)
    labels, shown = dice.integers(0, 2, 200).astype(float), dice.random(200) < 0.8
    probabilities = dice.integers(0, 17, 200) / 16
    curve = coverage_accuracy(labels, probabilities, shown)
    assert curve.thresholds.tolist() == [x / 16 for x in range(16, 7, -1)]
    for threshold, coverage, users, correct in zip(*curve, strict=True):
        said = [
            (label, p)
            for label, p, is_shown in zip(labels, probabilities, shown, strict=True)
            if is_shown and max(p, 1 - p) >= threshold
        ]
        assert (users, coverage) == (len(said), len(said) / 200)
        assert correct == sum((p >= 0.5) == (label == 1) for label, p in said)


def test_nobody_who_shows_anything_has_no_curve() -> None:
    assert [len(column) for column in coverage_accuracy(LABELS, PROBABILITIES, np.zeros(4, np.bool_))] == [0] * 4


def test_summary() -> None:
    assert summary(LABELS, PROBABILITIES) == {
        "users": 4,
        "accuracy": 0.75,
        "accuracy_low": 0.3006,
        "accuracy_high": 0.9544,
        "auc": 1.0,
        "ece": 0.3,
        "recall_male": 1.0,
        "recall_female": 0.5,
        "log_loss": 0.4004,
    }
