"""A teacher supervises the heads of its student."""

from pathlib import Path

import keras
import numpy as np
import pytest

from genderprep.tensors import IMAGE, PRESENT, TOKENS
from tests.support.training.stand_in import small_towers
from tests.support.training.users import random_users
from training.gender.model import GENDER, build_fused_model
from training.gender.teacher import Teacher, student
from training.losses.distillation import DISTILLED, GATE

pytestmark = pytest.mark.usefixtures("eager")


def test_targets_are_the_outputs_of_an_equal_student(tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    with small_towers():
        model = build_fused_model("mobilenetv2")
    model.save(tmp_path / "model.keras")
    inputs = random_users(6).inputs((IMAGE, TOKENS, PRESENT))
    inputs[PRESENT] = np.array([[True, index % 2 == 0] for index in range(6)])
    targets = Teacher(tmp_path / "model.keras")(inputs)
    own = student(model).predict(inputs, verbose=0)
    assert targets.keys() == {DISTILLED, GATE}
    for head, target in targets.items():
        np.testing.assert_allclose(target, own[head], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(own[DISTILLED], own[GENDER])
    # Every second user has no nickname, so the avatar has all the weight.
    np.testing.assert_allclose(targets[GATE][1::2], [[1, 0]] * 3)


def test_missing_teacher_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no trained model"):
        Teacher(tmp_path / "model.keras")
