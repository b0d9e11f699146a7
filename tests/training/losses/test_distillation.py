"""The distillation loss equals its formula, and its shares sum to one."""

import numpy as np
import pytest
from scipy.special import expit

from tests.support.training.keras_objects import from_own_config
from training.losses.distillation import DISTILLED, GATE, Distillation, DistillationLoss


def slow(teacher: float, student: float, temperature: float) -> float:
    p, q = expit(teacher / temperature), expit(student / temperature)
    return float(temperature**2 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))))


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_loss_equals_the_formula(temperature: float) -> None:
    teacher, student = np.array([[2.0], [-1.0], [0.3]]), np.array([[1.0], [0.5], [0.3]])
    expected = [slow(t, s, temperature) for t, s in zip(teacher[:, 0], student[:, 0], strict=True)]
    assert float(DistillationLoss(temperature)(teacher, student)) == pytest.approx(np.mean(expected), rel=1e-5)


def test_loss_is_finite_for_huge_logits_and_0_for_equal_ones() -> None:
    loss = DistillationLoss()
    assert np.isfinite(float(loss(np.array([[800.0]]), np.array([[-800.0]]))))
    assert float(loss(np.array([[3.0]]), np.array([[3.0]]))) == pytest.approx(0, abs=1e-6)


def test_loss_survives_serialization() -> None:
    assert from_own_config(DistillationLoss(3.0)).temperature == 3.0


def test_config_builds_losses_and_weights() -> None:
    config = Distillation(temperature=3.0, teacher_share=0.75, gate_share=0.5)
    losses = config.build()
    assert losses.keys() == {DISTILLED, GATE}
    assert losses[DISTILLED].temperature == 3.0
    assert config.loss_weights("gender") == {"gender": 0.25, DISTILLED: 0.75, GATE: 0.5}
