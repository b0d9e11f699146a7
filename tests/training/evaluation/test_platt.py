"""Platt scaling recovers known parameters, stays in bounds and falls back to the prior."""

import numpy as np
import pytest
from scipy.special import expit

from training.evaluation.platt import PlattScaling, fit_platt

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("temperature", "bias"), [(0.5, 0.0), (1.0, -0.4), (3.0, 0.7)])
def test_fit_recovers_parameters(temperature: float, bias: float) -> None:
    logits = RNG.normal(0, 3, (40_000, 1))
    labels = (RNG.random(logits.shape) < expit(logits / temperature + bias)).astype(float)
    scaling = fit_platt(logits, labels, 0.5)
    assert scaling.temperature == pytest.approx(temperature, rel=0.05)
    assert scaling.bias == pytest.approx(bias, abs=0.05)


def test_fit_is_a_minimum() -> None:
    """No point of a grid around the fit has a smaller loss, prior included."""
    logits = RNG.normal(0.3, 2, (300, 1))
    labels = (RNG.random(logits.shape) < expit(logits / 1.5)).astype(float)

    def loss(slope: float, bias: float) -> float:
        p = expit(logits * slope + bias)
        log_loss = -np.sum(labels * np.log(p) + (1 - labels) * np.log(1 - p))
        return float(log_loss + ((slope - 1) ** 2 + bias**2) / 2)

    scaling = fit_platt(logits, labels, 0.5)
    fitted = loss(1 / scaling.temperature, scaling.bias)
    around = [loss(1 / scaling.temperature + x, scaling.bias + y) for x in (-0.02, 0, 0.02) for y in (-0.02, 0, 0.02)]
    assert fitted == pytest.approx(min(around), abs=1e-4)


def test_fit_equals_literal_numbers() -> None:
    logits, labels = np.array([[2.0], [-1.0], [0.5], [3.0], [-2.0]]), np.array([[1.0], [0], [0], [1], [1]])
    assert fit_platt(logits, labels, 0.6) == PlattScaling(1.8311, 0.1148, 0.6)


def test_temperature_is_bounded() -> None:
    logits = np.array([[5.0], [-5.0]] * 500)
    assert 0.2 <= fit_platt(logits / 5, (logits > 0).astype(float), 0.5).temperature < 1
    assert fit_platt(logits, (logits < 0).astype(float), 0.5).temperature == 10
    assert fit_platt(np.full((1, 1), 40.0), np.ones((1, 1)), 0.5).temperature == pytest.approx(1, abs=0.01)


def test_fit_needs_users() -> None:
    with pytest.raises(ValueError, match="expected at least one user"):
        fit_platt(np.zeros((0, 1)), np.zeros((0, 1)), 0.5)


@pytest.mark.parametrize("prior_female", [1e-6, 1 - 1e-6])
def test_logit_of_an_extreme_prior_is_finite(prior_female: float) -> None:
    scaling = fit_platt(np.array([[1.0], [-1.0]]), np.array([[1.0], [0.0]]), prior_female)
    assert np.isfinite(scaling.prior_logit)


def test_no_modality_gives_the_prior() -> None:
    present = np.array([[False, False], [True, False], [False, True]])
    p_female = PlattScaling(2.0, 0.5, prior_female=0.6)(np.full((3, 1), 3.0), present)
    np.testing.assert_allclose(p_female, np.array([0.6, expit(2.0), expit(2.0)]))
