"""Scaling finds what was put in, stays within its bounds, and gives the prior where nothing is shown."""

import numpy as np
import pytest
from scipy.special import expit as sigmoid

from training.evaluation.platt import PlattScaling, fit_platt

DICE = np.random.default_rng(0)


@pytest.mark.parametrize(("temperature", "bias"), [(0.5, 0.0), (1.0, -0.4), (3.0, 0.7)])
def test_it_finds_what_was_put_in(temperature: float, bias: float) -> None:
    logits = DICE.normal(0, 3, (40_000, 1))
    labels = (DICE.random(logits.shape) < sigmoid(logits / temperature + bias)).astype(float)
    found = fit_platt(logits, labels, 0.5)
    assert found.temperature == pytest.approx(temperature, rel=0.05)
    assert found.bias == pytest.approx(bias, abs=0.05)


def test_the_slow_way_finds_the_same() -> None:
    """No point of a grid around what was found has a smaller loss, the two made-up users included."""
    logits = DICE.normal(0.3, 2, (300, 1))
    labels = (DICE.random(logits.shape) < sigmoid(logits / 1.5)).astype(float)

    def loss(slope: float, bias: float) -> float:
        p = sigmoid(logits * slope + bias)
        own = -np.sum(labels * np.log(p) + (1 - labels) * np.log(1 - p))
        return float(own + ((slope - 1) ** 2 + bias**2) / 2)

    found = fit_platt(logits, labels, 0.5)
    best = loss(1 / found.temperature, found.bias)
    around = [loss(1 / found.temperature + x, found.bias + y) for x in (-0.02, 0, 0.02) for y in (-0.02, 0, 0.02)]
    assert best == pytest.approx(min(around), abs=1e-4)


def test_it_stays_within_its_bounds() -> None:
    logits = np.array([[5.0], [-5.0]] * 500)
    assert 0.2 <= fit_platt(logits / 5, (logits > 0).astype(float), 0.5).temperature < 1
    assert fit_platt(logits, (logits < 0).astype(float), 0.5).temperature == 10
    assert fit_platt(np.full((1, 1), 40.0), np.ones((1, 1)), 0.5).temperature == pytest.approx(1, abs=0.01)


def test_it_needs_users() -> None:
    with pytest.raises(ValueError, match="expected at least one user"):
        fit_platt(np.zeros((0, 1)), np.zeros((0, 1)), 0.5)


def test_who_shows_nothing_gets_the_prior() -> None:
    present = np.array([[False, False], [True, False], [False, True]])
    found = PlattScaling(2.0, 0.5, prior_female=0.6)(np.full((3, 1), 3.0), present)
    np.testing.assert_allclose(found, [0.6, 1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(-2.0))])
