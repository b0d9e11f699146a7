"""Measures of trust: equal weight for women and men, and the surest answers."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, f1_score

from training.evaluation.trust import (
    accuracy_of_surest,
    balanced_calibration_error,
    brier,
    calibration_in_the_large,
    doubt,
    macro_f1,
    recall_gap,
    surely_wrong,
    trust,
)

RNG = np.random.default_rng(0)


def test_calibration_error_weighs_women_and_men_alike() -> None:
    """Nine men of ten users get 0.1 each: calibrated as they are, off by 0.4 if women were as many."""
    labels, p_female = np.array([1.0] + [0.0] * 9), np.full(10, 0.1)
    assert balanced_calibration_error(labels, p_female) == pytest.approx(0.4)


def test_calibrated_probabilities_have_a_small_error() -> None:
    p_female = RNG.random(100_000)
    labels = (RNG.random(100_000) < p_female).astype(float)
    assert balanced_calibration_error(labels, p_female) < 0.01
    assert balanced_calibration_error(labels, 0.5 + (p_female - 0.5) / 2) > 0.1


def test_calibration_in_the_large_weighs_women_and_men_alike_and_has_a_sign() -> None:
    labels = np.array([1.0] + [0.0] * 9)
    assert calibration_in_the_large(labels, np.full(10, 0.6)) == pytest.approx(0.1)
    assert calibration_in_the_large(labels, np.array([0.9] + [0.1] * 9)) == pytest.approx(0)
    assert calibration_in_the_large(labels, np.array([0.5] + [0.1] * 9)) == pytest.approx(-0.2)


def test_surely_wrong_counts_wrong_answers_above_nine_tenths() -> None:
    assert surely_wrong(np.array([1.0, 1, 0, 0]), np.array([0.05, 0.15, 0.95, 0.05])) == 0.5


def test_recall_gap_is_that_of_women_minus_men() -> None:
    assert recall_gap(np.array([1.0, 1, 0, 0]), np.array([0.6, 0.4, 0.1, 0.2])) == pytest.approx(-0.5)


def test_accuracy_of_the_surest_leaves_out_the_doubtful() -> None:
    labels, p_female = np.array([1.0, 0, 1, 0]), np.array([0.45, 0.1, 0.9, 0.8])
    assert [accuracy_of_surest(share, labels, p_female) for share in (1.0, 0.75, 0.5)] == [0.5, 2 / 3, 1.0]


def test_f1_and_brier_score_are_those_of_scikit_learn() -> None:
    labels, p_female = RNG.integers(0, 2, 500).astype(float), RNG.random(500) ** 2
    assert macro_f1(labels, p_female) == pytest.approx(f1_score(labels, p_female >= 0.5, average="macro"))
    assert brier(labels, p_female) == pytest.approx(brier_score_loss(labels, p_female))


def test_doubt_describes_the_probabilities() -> None:
    assert doubt(np.array([0.2, 0.6])) == {"users": 2, "mean": 0.4, "spread": 0.2, "confidence": 0.7}


def test_measures_have_intervals_over_identities() -> None:
    labels = np.repeat(RNG.integers(0, 2, 30), 20).astype(float)
    p_female = np.clip(labels * 0.3 + 0.35 + np.repeat(RNG.normal(0, 0.2, 30), 20), 0.01, 0.99)
    alone, repeated = (
        trust(labels, p_female, ids, draws=100) for ids in (np.arange(600), np.repeat(np.arange(30), 20))
    )
    assert (repeated["users"], repeated["identities"]) == (600, 30)
    for name in (
        "accuracy",
        "accuracy_at_80",
        "auc",
        "macro_f1",
        "brier",
        "recall_gap",
        "balanced_ece",
        "calibration_in_the_large",
        "surely_wrong",
    ):
        assert alone[name] == repeated[name]
        assert repeated[f"{name}_low"] <= repeated[name] <= repeated[f"{name}_high"]
    assert repeated["auc_high"] - repeated["auc_low"] > 2 * (alone["auc_high"] - alone["auc_low"])
