"""`PacedAdamW` is AdamW, slower where told."""

from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from training.optimizers import PacedAdamW, paces_of

START = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
GRADIENT = np.array([[3, -2, 1], [0.5, -0.1, 4]], np.float32)


def updates(optimizer: keras.optimizers.Optimizer, count: int, steps: int = 1) -> list[NDArray[np.float32]]:
    variables = [keras.Variable(START, name=f"kernel_{index}") for index in range(count)]
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(GRADIENT)] * count, variables)
    return [keras.ops.convert_to_numpy(each) - START for each in variables]


def nested_model() -> tuple[keras.Model, keras.Model]:
    """A model and the part inside it that is pretrained; the layers of both are named alike."""
    inner = keras.Input((3,))
    trunk = keras.Model(inner, keras.layers.Dense(3, name="projection")(inner), name="trunk")
    outer = keras.Input((3,))
    return keras.Model(outer, keras.layers.Dense(1, name="projection")(trunk(outer))), trunk


@pytest.mark.parametrize("steps", [1, 5])
def test_at_full_pace_it_is_adamw(steps: int) -> None:
    (plain,) = updates(keras.optimizers.AdamW(0.01, weight_decay=0.1), 1, steps)
    (paced,) = updates(PacedAdamW(0.01, weight_decay=0.1, paces=[1.0]), 1, steps)
    np.testing.assert_allclose(paced, plain, atol=1e-7)


def test_each_variable_has_its_own_pace() -> None:
    (plain,) = updates(keras.optimizers.AdamW(0.01, weight_decay=0.0), 1)
    slow, full, none = updates(PacedAdamW(0.01, weight_decay=0.0, paces=[0.1, 1.0, 0.0]), 3)
    np.testing.assert_allclose(slow, 0.1 * plain, atol=1e-7)
    np.testing.assert_allclose(full, plain, atol=1e-7)
    np.testing.assert_array_equal(none, 0)


def test_paces_belong_to_parts_not_to_names() -> None:
    model, trunk = nested_model()
    assert paces_of(model, [trunk], 0.1) == [0.1, 0.1, 1.0, 1.0]
    assert paces_of(model, [], 0.1) == [1.0] * 4


def test_paces_hold_inside_a_compiled_training_step() -> None:
    keras.utils.set_random_seed(1)
    model, trunk = nested_model()
    before = [w.numpy() for w in model.trainable_variables]
    model.compile(PacedAdamW(0.01, weight_decay=0.0, paces=paces_of(model, [trunk], 0.0)), loss="mse")
    model.train_on_batch(np.ones((4, 3)), np.ones((4, 1)))
    moved = [np.abs(w.numpy() - old).max() > 0 for w, old in zip(model.trainable_variables, before, strict=True)]
    assert moved == [False, False, True, True]


def test_as_many_paces_as_variables() -> None:
    with pytest.raises(ValueError, match="got 1 paces, 2 variables"):
        updates(PacedAdamW(0.01, paces=[1.0]), 2)


def test_paces_survive_saving() -> None:
    optimizer = PacedAdamW(0.01, weight_decay=0.2, paces=[0.1, 1.0])
    config: dict[str, Any] = optimizer.get_config()
    again = PacedAdamW.from_config(config)
    assert (again.paces, again.weight_decay) == ([0.1, 1.0], 0.2)
    registered = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert registered.get_config() == config
