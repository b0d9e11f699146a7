"""A student that learns from a teacher's answers as well as from the labels (Hinton et al., 2015, arXiv 1503.02531).

The teacher sees the very pictures and tokens the student sees, augmentation included (arXiv 2106.05237). Besides
its logit it hands on its modality weights, which say where to look.
"""

from pathlib import Path
from typing import Any, Final

import keras
from keras import ops
from numpy.typing import NDArray

from ..gender.config import ConfigError
from ..gender.model import GENDER, load_model

# Outputs of the student that answer to the teacher: its fused logit, [B, 1], and its modality weights, [B, 2].
DISTILLED: Final = "distilled"
GATE: Final = "gate"
TEMPERATURE: Final = 2.0
# Shares of the loss: the teacher's logit, the labels get the rest; and the teacher's weights on top.
TEACHER_SHARE: Final = 0.7
GATE_SHARE: Final = 0.1


@keras.saving.register_keras_serializable("gender")
class DistillationLoss(keras.losses.Loss):
    """T²·KL(σ(teacher / T) ‖ σ(student / T)) of two logits, [B, 1] each; T² keeps the gradient's size as T grows."""

    def __init__(self, temperature: float = TEMPERATURE, name: str = "distillation", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.temperature = temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        teacher, student = (ops.cast(logit, "float32") / self.temperature for logit in (y_true, y_pred))
        share = ops.sigmoid(teacher)
        divergence = share * (ops.log_sigmoid(teacher) - ops.log_sigmoid(student)) + (1 - share) * (
            ops.log_sigmoid(-teacher) - ops.log_sigmoid(-student)
        )
        return self.temperature**2 * ops.mean(divergence, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}


class Teacher:
    """A trained model that answers for the student's heads."""

    def __init__(self, file: Path) -> None:
        """Load `file`, a fused model.

        Raises:
            FileNotFoundError: no such file.
            ConfigError: one tower alone.
        """
        model = load_model(file)
        if GENDER not in model.output:
            raise ConfigError(f"{file}: one tower alone; a teacher has both, fused")
        self._model = keras.Model(model.input, _heads(model))

    def __call__(self, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Targets by head for inputs by contract name, however many."""
        known = {name: inputs[name] for name in self._model.input}
        answers: dict[str, NDArray[Any]] = self._model.predict(known, batch_size=64, verbose=0)
        return answers


def student(model: keras.Model) -> keras.Model:
    """`model` with the heads that answer to a teacher added to its own."""
    return keras.Model(model.input, {**model.output, **_heads(model)}, name=model.name)


def losses() -> dict[str, Any]:
    """The losses of a student's added heads."""
    return {DISTILLED: DistillationLoss(), GATE: keras.losses.MeanSquaredError()}


def loss_weights() -> dict[str, float]:
    """What the labels' main head and the added heads weigh in the sum of losses."""
    return {GENDER: 1 - TEACHER_SHARE, DISTILLED: TEACHER_SHARE, GATE: GATE_SHARE}


def _heads(model: keras.Model) -> dict[str, Any]:
    _, weights = model.get_layer("fusion").output
    logit = keras.layers.Identity(name=DISTILLED)(model.output[GENDER])
    return {DISTILLED: logit, GATE: keras.layers.Identity(name=GATE)(weights)}
