"""What the student owes its teacher: loss by hand, targets, and shares."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from genderprep.tensors import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS
from tests.support.training.stand_in import small_towers
from training.gender.model import GENDER, build_fused_model
from training.gender.teacher import Teacher, student
from training.losses.distillation import DISTILLED, GATE, Distillation, DistillationLoss


def loss_by_hand(teacher: float, logit: float, temperature: float) -> float:
    p, q = (1 / (1 + np.exp(-x / temperature)) for x in (teacher, logit))
    return float(temperature**2 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))))


def rows(count: int = 6) -> dict[str, NDArray[Any]]:
    dice = np.random.default_rng(0)
    return {
        IMAGE: dice.integers(0, 256, (count, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8),
        TOKENS: dice.integers(3, 900, (count, MAX_TOKENS)).astype(np.int32),
        PRESENT: np.array([[True, index % 2 == 0] for index in range(count)]),
    }


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(3)
    with small_towers():
        return build_fused_model("mobilenetv2")


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_loss(temperature: float) -> None:
    teacher, logits = np.array([[2.0], [-1.0], [0.3]]), np.array([[1.0], [0.5], [0.3]])
    expected = [loss_by_hand(t, s, temperature) for t, s in zip(teacher[:, 0], logits[:, 0], strict=True)]
    assert float(DistillationLoss(temperature)(teacher, logits)) == pytest.approx(np.mean(expected), rel=1e-5)


def test_loss_of_huge_logits_is_finite_and_of_agreement_zero() -> None:
    loss = DistillationLoss()
    assert np.isfinite(float(loss(np.array([[800.0]]), np.array([[-800.0]]))))
    assert float(loss(np.array([[3.0]]), np.array([[3.0]]))) == pytest.approx(0, abs=1e-6)


def test_loss_keeps_its_temperature() -> None:
    assert DistillationLoss.from_config(DistillationLoss(3.0).get_config()).temperature == 3.0


def test_teacher_answers_what_the_student_is_asked(model: keras.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.keras")
    inputs = rows()
    answers = Teacher(tmp_path / "model.keras")(inputs)
    own = student(model).predict(inputs, verbose=0)
    assert answers.keys() == {DISTILLED, GATE}
    for head, answer in answers.items():
        np.testing.assert_allclose(answer, own[head], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(own[DISTILLED], own[GENDER])
    # Every second user has no nickname: all the weight is the avatar's.
    np.testing.assert_allclose(answers[GATE][1::2], [[1, 0]] * 3)


def test_no_teacher(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no trained model"):
        Teacher(tmp_path / "model.keras")


def test_labels_and_teacher_share_the_loss() -> None:
    weights = Distillation().loss_weights(GENDER)
    assert weights[GENDER] + weights[DISTILLED] == 1
    assert Distillation().build().keys() == {DISTILLED, GATE}
