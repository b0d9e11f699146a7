"""`LRMultiplierAdamW` is AdamW with one learning rate per variable."""

import keras
import numpy as np
import pytest

from tests.support.training.keras_objects import from_own_config
from tests.support.training.updates import updates
from training.optimizers.lr_multiplier_adamw import LRMultiplierAdamW, lr_multipliers


def nested_model() -> tuple[keras.Model, keras.Model]:
    """A model and its pretrained part; the layers of both have the same name."""
    inner, outer = keras.Input((3,)), keras.Input((3,))
    trunk = keras.Model(inner, keras.layers.Dense(3, name="projection")(inner), name="trunk")
    return keras.Model(outer, keras.layers.Dense(1, name="projection")(trunk(outer))), trunk


@pytest.mark.parametrize("steps", [1, 5])
def test_multiplier_1_is_adamw(steps: int) -> None:
    (adamw,) = updates(keras.optimizers.AdamW(0.01, weight_decay=0.1), 1, steps)
    (multiplied,) = updates(LRMultiplierAdamW(0.01, weight_decay=0.1, lr_multipliers=[1.0]), 1, steps)
    np.testing.assert_allclose(multiplied, adamw, atol=1e-7)


def test_each_variable_has_its_learning_rate() -> None:
    (adamw,) = updates(keras.optimizers.AdamW(0.01, weight_decay=0.0), 1)
    slow, full, none = updates(LRMultiplierAdamW(0.01, weight_decay=0.0, lr_multipliers=[0.1, 1.0, 0.0]), 3)
    np.testing.assert_allclose(slow, 0.1 * adamw, atol=1e-7)
    np.testing.assert_allclose(full, adamw, atol=1e-7)
    np.testing.assert_array_equal(none, 0)


def test_multipliers_follow_layers_and_hold_in_a_compiled_step() -> None:
    keras.utils.set_random_seed(1)
    model, trunk = nested_model()
    assert lr_multipliers(model, {0.1: [trunk]}) == [0.1, 0.1, 1.0, 1.0]
    assert lr_multipliers(model, {0.1: []}) == [1.0] * 4
    before = [w.numpy() for w in model.trainable_variables]
    multipliers = lr_multipliers(model, {0.0: [trunk]})
    model.compile(LRMultiplierAdamW(0.01, weight_decay=0.0, lr_multipliers=multipliers), loss="mse")
    model.train_on_batch(np.ones((4, 3)), np.ones((4, 1)))
    moved = [np.abs(w.numpy() - old).max() > 0 for w, old in zip(model.trainable_variables, before, strict=True)]
    assert moved == [False, False, True, True]


def test_numbers_of_multipliers_and_variables_must_agree() -> None:
    with pytest.raises(ValueError, match="expected one multiplier per variable, got 1 for 2 variables"):
        updates(LRMultiplierAdamW(0.01, lr_multipliers=[1.0]), 2)


def test_multipliers_survive_serialization() -> None:
    optimizer = from_own_config(LRMultiplierAdamW(0.01, weight_decay=0.2, lr_multipliers=[0.1, 1.0]))
    assert (optimizer.lr_multipliers, optimizer.weight_decay) == ([0.1, 1.0], 0.2)
