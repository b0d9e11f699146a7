"""The teacher and the student of a distillation; the losses are in `training.losses.distillation`."""

from pathlib import Path

import keras

from ..arrays import Arrays
from ..engine.errors import ConfigError
from ..losses.distillation import DISTILLED, GATE
from .model import GENDER, load_model


class Teacher:
    """A trained fused model that supervises a student's heads."""

    def __init__(self, file: Path) -> None:
        """Load a fused model.

        Raises:
            FileNotFoundError: The file does not exist.
            ConfigError: The model has one tower only.
        """
        model = load_model(file)
        if GENDER not in model.output:
            raise ConfigError(f"{file}: expected a fused model as teacher, got one tower")
        self._model = keras.Model(model.input, _heads(model))

    def __call__(self, inputs: Arrays) -> Arrays:
        """Return the targets by head for inputs by name."""
        known = {name: inputs[name] for name in self._model.input}
        targets: Arrays = self._model.predict(known, batch_size=64, verbose=0)
        return targets


def student(model: keras.Model) -> keras.Model:
    """Return `model` with the heads that a teacher supervises added to its own."""
    return keras.Model(model.input, {**model.output, **_heads(model)}, name=model.name)


def _heads(model: keras.Model) -> dict[str, keras.KerasTensor]:
    _, weights = model.get_layer("fusion").output
    logit = keras.layers.Identity(name=DISTILLED)(model.output[GENDER])
    return {DISTILLED: logit, GATE: keras.layers.Identity(name=GATE)(weights)}
