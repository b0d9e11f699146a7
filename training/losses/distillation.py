"""Knowledge distillation: a student learns from a teacher's outputs and from the labels (Hinton et al., 2015).

https://arxiv.org/abs/1503.02531. The teacher sees the same augmented inputs as the student (Beyer et al., 2021,
https://arxiv.org/abs/2106.05237). The student also learns the teacher's modality weights.
"""

from dataclasses import dataclass
from typing import Any, Final

import keras
from keras import ops

from ..arrays import TensorB1

# The student's outputs that the teacher supervises: its fused logit [B, 1] and its modality weights [B, 2].
DISTILLED: Final = "distilled"
GATE: Final = "gate"


@dataclass(frozen=True)
class Distillation:
    """How a student learns from a teacher.

    Args:
        temperature: T, softens both distributions.
        teacher_share: Weight of the teacher's logit; the labels have the rest.
        gate_share: Weight of the teacher's modality weights.
    """

    temperature: float = 2.0
    teacher_share: float = 0.7
    gate_share: float = 0.1

    def build(self) -> dict[str, keras.losses.Loss]:
        """Return the losses of the supervised outputs."""
        return {DISTILLED: DistillationLoss(self.temperature), GATE: keras.losses.MeanSquaredError()}

    def loss_weights(self, main_head: str) -> dict[str, float]:
        """Return the weights of the labels' main head and of the supervised outputs."""
        return {main_head: 1 - self.teacher_share, DISTILLED: self.teacher_share, GATE: self.gate_share}


@keras.saving.register_keras_serializable("gender")
class DistillationLoss(keras.losses.Loss):
    """T² · KL(σ(teacher / T) ‖ σ(student / T)) of two logits `[B, 1]` (section 2).

    T² keeps the gradient's size as T grows.
    """

    def __init__(self, temperature: float = 2.0, name: str = "distillation", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.temperature = temperature

    def call(self, y_true: TensorB1, y_pred: TensorB1) -> Any:
        teacher, student = (ops.cast(logit, "float32") / self.temperature for logit in (y_true, y_pred))
        p = ops.sigmoid(teacher)
        female = p * (ops.log_sigmoid(teacher) - ops.log_sigmoid(student))
        male = (1 - p) * (ops.log_sigmoid(-teacher) - ops.log_sigmoid(-student))
        return self.temperature**2 * ops.mean(female + male, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}
