"""A training step is traced once, because its variables exist before it."""

from typing import Any

import keras
import numpy as np
import pytest

from training.engine.variables import create_variables

INPUTS = np.ones((8, 3), np.float32)
TARGETS = {"one": np.ones((8, 1), np.float32), "two": np.zeros((8, 1), np.float32)}
WEIGHTS = {name: np.ones(8, np.float32) for name in TARGETS}


class Counted(keras.Model):
    """Counts how often its training step is traced."""

    traced = 0

    def train_step(self, data: Any) -> Any:
        self.traced += 1
        return super().train_step(data)


@pytest.fixture
def model() -> Counted:
    inputs = keras.Input((3,))
    model = Counted(inputs, {name: keras.layers.Dense(1, name=name)(inputs) for name in TARGETS})
    model.compile("adam", dict.fromkeys(TARGETS, "mse"), weighted_metrics={"one": ["mae"]}, jit_compile=False)
    return model


@pytest.mark.parametrize(("is_prepared", "traced"), [(True, 1), (False, 2)])
def test_step_is_traced_once(model: Counted, is_prepared: bool, traced: int) -> None:
    if is_prepared:
        create_variables(model, INPUTS, TARGETS, WEIGHTS)
    model.fit(INPUTS, TARGETS, batch_size=4, epochs=2, sample_weight=WEIGHTS, verbose=0)
    assert model.traced == traced


def test_metrics_start_from_zero(model: Counted) -> None:
    create_variables(model, INPUTS, TARGETS, WEIGHTS)
    assert not any(map(float, model.get_metrics_result().values()))
