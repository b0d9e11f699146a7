"""Metrics and temperature against numbers worked out by hand."""

import math

import numpy as np
import pytest

from training.calibrate import fit_temperature, sigmoid
from training.metrics import auc, expected_calibration_error, log_loss, summary, wilson_interval

LABELS = np.array([1.0, 0.0, 1.0, 0.0])
PROBABILITIES = np.array([0.9, 0.2, 0.4, 0.3])


def test_wilson_interval() -> None:
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_wilson_interval_needs_samples() -> None:
    with pytest.raises(ValueError, match="count must be positive, got 0"):
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
    assert log_loss(LABELS, PROBABILITIES) == pytest.approx(expected)
    assert math.isfinite(log_loss(LABELS, LABELS[::-1]))


def test_expected_calibration_error() -> None:
    # Confidences .9 (right), .8 (right), .6 (wrong), .7 (right), each in a bin of its own.
    assert expected_calibration_error(LABELS, PROBABILITIES) == pytest.approx((0.1 + 0.2 + 0.6 + 0.3) / 4)
    # All in one bin: mean confidence .75, three of four right.
    assert expected_calibration_error(LABELS, PROBABILITIES, bins=1) == pytest.approx(0.0)
    assert expected_calibration_error(LABELS, LABELS) == 0


def test_summary() -> None:
    assert summary(LABELS, PROBABILITIES) == {
        "users": 4,
        "accuracy": 0.75,
        "accuracy_low": 0.3006,
        "accuracy_high": 0.9544,
        "auc": 1.0,
        "ece": 0.3,
        "log_loss": 0.4004,
    }


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_fit_temperature_finds_what_was_put_in(temperature: float) -> None:
    dice = np.random.default_rng(0)
    logits = dice.normal(0, 3, (40_000, 1))
    labels = (dice.random(logits.shape) < sigmoid(logits / temperature)).astype(float)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_fit_temperature_stays_within_its_bounds() -> None:
    logits = np.array([[2.0], [-2.0]])
    assert fit_temperature(logits, np.array([[1.0], [0.0]])) == pytest.approx(0.2, rel=1e-3)
    assert fit_temperature(logits, np.array([[0.0], [1.0]])) == pytest.approx(10.0, rel=1e-3)


def test_fit_temperature_needs_users() -> None:
    with pytest.raises(ValueError, match="no users to fit the temperature on"):
        fit_temperature(np.zeros((0, 1)), np.zeros((0, 1)))
