"""Mean Teacher: the prediction of a picture agrees with that of averaged weights on another view of it.

Tarvainen and Valpola, 2017 (https://arxiv.org/abs/1703.01780).
"""

from typing import Any

import keras
from keras import ops

from ..arrays import Shape, TensorB
from .multitask import cross_entropies


def decay(step: Any, largest: float) -> Any:
    """Return α = min(1 − 1 / (t + 1), largest) of the update after step t, so 0.5 after the first step.

    At t = 0, before any step, it is 0: the teacher becomes a copy of the student.
    """
    return ops.minimum(1 - 1 / (ops.cast(step, "float32") + 1), largest)


def ramp_up(step: Any, steps: int, largest: float) -> Any:
    """Return the weight of the consistency loss, largest · exp(−5 (1 − t / T)²), constant after `steps`, T."""
    share = ops.minimum(ops.cast(step, "float32") / steps, 1.0)
    return largest * ops.exp(-5.0 * (1 - share) ** 2)


class MeanTeacher(keras.Model):
    """Trains a student; call it with `[view [B, S, S, 3], other view, labels [B, T]]` to get the loss `[B]`.

    The loss of a picture is the cross-entropy of its labels, 0 without labels, plus the weighted squared difference
    of its probabilities and the teacher's. The mean over the batch so divides the cross-entropies of the labeled
    pictures by the size of the whole batch: the share of labeled pictures weights them. For two classes, the authors'
    mean over classes of the squared differences is that of one.

    The teacher is the moving average of the student, of its moving statistics too. It follows a step at the start of
    the next one; call `update_teacher` after the last. It predicts with these statistics, where the authors' uses those
    of the batch.

    Args:
        student: The trained network, from pictures to logits `[B, T]`.
        teacher: Another network of the same architecture.
        ramp: Steps until the full weight of consistency.
        decay: Largest α of the moving average.
        weight: Full weight of consistency. 4 is as strong as classification in two classes (the authors' README).
    """

    def __init__(
        self, student: keras.Model, teacher: keras.Model, ramp: int, decay: float = 0.99, weight: float = 4.0
    ) -> None:
        super().__init__(name="mean_teacher")
        self.student, self.teacher = student, teacher
        self.ramp, self.decay, self.weight = ramp, decay, weight
        self.teacher.set_weights(student.get_weights())
        # The variables, not the layers, as in MoCo.
        for variable in self.teacher.trainable_variables:
            variable.trainable = False
        self.steps = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="steps")

    def call(self, inputs: list[Any], training: bool | None = None) -> TensorB:
        view, other, labels = inputs
        if training:
            self.update_teacher()
        logits = self.student(view, training=training)
        target = ops.stop_gradient(ops.sigmoid(self.teacher(other, training=False)))
        consistency = ops.sum((ops.sigmoid(logits) - target) ** 2, axis=1)
        loss = ops.sum(cross_entropies(logits, labels), axis=1)
        loss += ramp_up(self.steps, self.ramp, self.weight) * consistency
        if training:
            self.steps.assign(self.steps + 1)
        return loss

    def update_teacher(self) -> None:
        """Move the teacher towards the student as it is after the last step."""
        share = decay(self.steps, self.decay)
        for mean, value in zip(self.teacher.weights, self.student.weights, strict=True):
            mean.assign(share * mean + (1 - share) * ops.stop_gradient(value))

    def compute_output_shape(self, shapes: list[Shape]) -> Shape:
        return shapes[0][:1]
