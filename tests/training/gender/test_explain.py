"""Grad-CAM of the two towers."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from tests.support.training.stand_in import small_towers
from tests.support.training.users import random_users
from training.gender.explain import explain
from training.gender.model import GENDER, build_fused_model, predict_logits

pytestmark = pytest.mark.usefixtures("eager")

USERS = replace(random_users(4), present=np.array([[True, True], [True, False], [False, True], [False, False]]))


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    with small_towers():
        return build_fused_model("mobilenetv2")


def test_only_present_avatars_have_heat(model: keras.Model) -> None:
    heats = explain(model, USERS)
    assert heats.shape == (4, 15, 15)
    assert (heats >= 0).all()
    assert heats.any(axis=(1, 2)).tolist() == [True, True, False, False]


def test_male_and_female_are_explained_alike(model: keras.Model) -> None:
    heats, logits = explain(model, USERS), predict_logits(model, USERS)
    last = model.get_layer(GENDER)
    weights = last.get_weights()
    last.set_weights([-weight for weight in weights])
    try:
        assert predict_logits(model, USERS) == pytest.approx(-logits)
        assert explain(model, USERS) == pytest.approx(heats)
    finally:
        last.set_weights(weights)
