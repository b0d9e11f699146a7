"""Platt scaling recovers known parameters, stays in bounds and falls back to the prior."""

import numpy as np
import pytest
from scipy.special import expit

from training.arrays import BoolsN2, FloatsN1
from training.evaluation.platt import Line, PlattScaling, fit_platt, pattern_of

RNG = np.random.default_rng(0)
PATTERNS = np.array([[False, False], [False, True], [True, False], [True, True]])


def both(logits: FloatsN1) -> BoolsN2:
    return np.ones((len(logits), 2), np.bool_)


def test_patterns_are_numbered() -> None:
    assert pattern_of(PATTERNS).tolist() == [0, 1, 2, 3]


def test_fit_recovers_the_line_of_each_pattern() -> None:
    true = PlattScaling((0.4, 0.3), (1.6, 0.0), (1.0, -0.4))
    logits, present = RNG.normal(0, 2, (80_000, 1)), PATTERNS[RNG.integers(0, 4, 80_000)]
    labels = (RNG.random(len(logits)) < true(logits, present))[:, None].astype(float)
    fitted = fit_platt(logits, present, labels, 0.5)
    np.testing.assert_allclose(fitted.lines, true.lines, atol=0.06)


def test_probabilities_fit_like_labels() -> None:
    true = PlattScaling(both=(0.5, 0.2))
    logits = RNG.normal(0, 2, (2000, 1))
    fitted = fit_platt(logits, both(logits), true(logits, both(logits))[:, None], 0.5)
    assert fitted.both == pytest.approx((0.5, 0.2), abs=0.01)


def test_fit_is_a_minimum() -> None:
    """No point of a grid around the fit has a smaller loss, prior included."""
    logits = RNG.normal(0.3, 2, (300, 1))
    labels = (RNG.random(logits.shape) < expit(logits / 1.5)).astype(float)
    fitted = fit_platt(logits, PATTERNS[[3]].repeat(300, 0), labels, 0.5)
    # Without users, a pattern keeps the fit of all.
    center = np.array(fitted.avatar_only)

    def loss(line: Line) -> float:
        p = expit(logits * line[0] + line[1])
        log_loss = -np.sum(labels * np.log(p) + (1 - labels) * np.log(1 - p))
        return float(log_loss + np.sum((line - center) ** 2) * 16 / 2)

    slope, offset = fitted.both
    around = [loss((slope + x, offset + y)) for x in (-0.02, 0, 0.02) for y in (-0.02, 0, 0.02)]
    assert loss(fitted.both) == pytest.approx(min(around), abs=1e-4)


def test_few_users_stay_near_the_fit_of_all() -> None:
    logits = RNG.normal(0, 2, (5001, 1))
    labels = (RNG.random(logits.shape) < expit(0.5 * logits)).astype(float)
    logits[-1], labels[-1] = 3, 0
    present = PATTERNS[[3] * 5000 + [1]]
    assert fit_platt(logits, present, labels, 0.5).nickname_only[0] == pytest.approx(0.5, abs=0.25)


def test_slope_is_bounded() -> None:
    logits = np.array([[5.0], [-5.0]] * 500)
    present = both(logits)
    assert 1 < fit_platt(logits / 5, present, (logits > 0).astype(float), 0.5).both[0] <= 5
    assert fit_platt(logits, present, (logits < 0).astype(float), 0.5).both[0] == 0.1
    assert fit_platt(np.full((1, 1), 40.0), present[:1], np.ones((1, 1)), 0.5).both[0] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("users", [0, 3])
def test_fit_needs_users_with_a_modality(users: int) -> None:
    with pytest.raises(ValueError, match="expected at least one user"):
        fit_platt(np.zeros((users, 1)), np.zeros((users, 2), np.bool_), np.zeros((users, 1)), 0.5)


@pytest.mark.parametrize("prior_female", [1e-6, 1 - 1e-6])
def test_logit_of_an_extreme_prior_is_finite(prior_female: float) -> None:
    logits = np.array([[1.0], [-1.0]])
    assert np.isfinite(fit_platt(logits, both(logits), (logits > 0).astype(float), prior_female).lines).all()


def test_each_pattern_has_its_line() -> None:
    p_female = PlattScaling((0.5, 0.5), (1.0, -1.0), (2.0, 0.0), prior_female=0.6)(np.full((4, 1), 3.0), PATTERNS)
    np.testing.assert_allclose(p_female, np.append(0.6, expit([2.0, 2.0, 6.0])))
