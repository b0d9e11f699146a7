"""Apply an optimizer to variables of known values and gradients."""

import keras
import numpy as np
from numpy.typing import NDArray

START = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
GRADIENT = np.array([[3, -2, 1], [0.5, -0.1, 4]], np.float32)


def updates(optimizer: keras.optimizers.Optimizer, count: int, steps: int = 1) -> list[NDArray[np.float32]]:
    """Return the change of each of `count` equal variables after some steps."""
    variables = [keras.Variable(START, name=f"kernel_{index}") for index in range(count)]
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(GRADIENT)] * count, variables)
    return [keras.ops.convert_to_numpy(each) - START for each in variables]
