"""`PacedAdamW` is AdamW, slower where told."""

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from training.optimizers import PacedAdamW

START = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
GRADIENT = np.array([[3, -2, 1], [0.5, -0.1, 4]], np.float32)


def variable(path: str) -> keras.Variable:
    *scopes, name = path.split("/")
    if scopes:
        with keras.name_scope(scopes[0]):
            return variable("/".join([*scopes[1:], name]))
    return keras.Variable(START, name=name)


def updates(optimizer: keras.optimizers.Optimizer, *paths: str, steps: int = 1) -> list[NDArray[np.float32]]:
    variables = [variable(path) for path in paths]
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(GRADIENT)] * len(variables), variables)
    return [keras.ops.convert_to_numpy(each) - START for each in variables]


@pytest.mark.parametrize("steps", [1, 5])
def test_without_paces_it_is_adamw(steps: int) -> None:
    (plain,) = updates(keras.optimizers.AdamW(0.01, weight_decay=0.1), "head/kernel", steps=steps)
    (paced,) = updates(PacedAdamW(0.01, weight_decay=0.1), "head/kernel", steps=steps)
    np.testing.assert_allclose(paced, plain, atol=1e-7)


def test_a_named_part_takes_smaller_steps() -> None:
    (plain,) = updates(keras.optimizers.AdamW(0.01, weight_decay=0.0), "kernel")
    optimizer = PacedAdamW(0.01, weight_decay=0.0, paces={"trunk": 0.1})
    trunk, head, other = updates(optimizer, "tower/trunk/kernel", "tower/head/kernel", "tower/trunks/kernel")
    np.testing.assert_allclose(trunk, 0.1 * plain, atol=1e-7)
    np.testing.assert_allclose(head, plain, atol=1e-7)
    np.testing.assert_allclose(other, plain, atol=1e-7)


def test_paces_hold_inside_a_compiled_training_step() -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3,))
    trunk = keras.Sequential([keras.layers.Dense(3)], name="trunk")
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(trunk(inputs)))
    before = [w.numpy() for w in model.trainable_variables]
    model.compile(PacedAdamW(0.01, weight_decay=0.0, paces={"trunk": 0.0}), loss="mse")
    model.train_on_batch(np.ones((4, 3)), np.ones((4, 1)))
    moved = {w.path: np.abs(w.numpy() - old).max() for w, old in zip(model.trainable_variables, before, strict=True)}
    assert [path for path, distance in moved.items() if distance > 0] == ["head/kernel", "head/bias"]


def test_paces_survive_saving() -> None:
    optimizer = PacedAdamW(0.01, weight_decay=0.2, paces={"trunk": 0.1})
    again = PacedAdamW.from_config(optimizer.get_config())
    assert (again.paces, again.weight_decay) == ({"trunk": 0.1}, 0.2)
    assert again.pace("image_tower/trunk/conv/kernel") == 0.1
    registered = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert registered.get_config() == optimizer.get_config()
