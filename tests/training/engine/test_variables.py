"""A training step is traced once, because its variables exist before it."""

from typing import Any

import keras
import numpy as np
import pytest

from training.engine.variables import create_variables

INPUTS = np.ones((8, 3), np.float32)
TARGETS = {"one": np.ones((8, 1), np.float32), "two": np.zeros((8, 1), np.float32)}
WEIGHTS = {name: np.ones(8, np.float32) for name in TARGETS}


class CountedLoss:
    """A loss that counts how often it is computed: in a compiled step, when the step is traced."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, expected: Any, actual: Any) -> Any:
        self.calls += 1
        return keras.losses.mean_squared_error(expected, actual)


def compiled(loss: CountedLoss) -> keras.Model:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, {name: keras.layers.Dense(1, name=name)(inputs) for name in TARGETS})
    model.compile("adam", {"one": loss, "two": "mse"}, weighted_metrics={"one": ["mae"]}, jit_compile=False)
    return model


@pytest.mark.parametrize(("is_prepared", "traced"), [(True, 1), (False, 2)])
def test_step_is_traced_once(is_prepared: bool, traced: int) -> None:
    loss = CountedLoss()
    model = compiled(loss)
    if is_prepared:
        create_variables(model, INPUTS, TARGETS, WEIGHTS)
    loss.calls = 0
    model.fit(INPUTS, TARGETS, batch_size=4, epochs=2, sample_weight=WEIGHTS, verbose=0)
    assert loss.calls == traced


def test_metrics_start_from_zero() -> None:
    model = compiled(CountedLoss())
    create_variables(model, INPUTS, TARGETS, WEIGHTS)
    assert not any(map(float, model.get_metrics_result().values()))
