"""Platt scaling in the graph (Platt, 1999; Guo et al., 2017, section 4.1, https://arxiv.org/abs/1706.04599)."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ..arrays import TensorB2


@keras.saving.register_keras_serializable("gender")
class Calibration(keras.layers.Layer):
    """Convert a logit to the probabilities of male and female.

    Call it with `[logit [B, 1], present [B, 2]]`; it returns `[B, 2]`.

    Args:
        lines: Slope and offset for each pattern of present modalities, [4, 2], as in
            `training.evaluation.platt.PlattScaling.lines`.

    Raises:
        ValueError: `lines` has another shape.
    """

    def __init__(self, lines: Sequence[Sequence[float]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if np.shape(lines) != (4, 2):
            raise ValueError(f"expected 4 lines of slope and offset, got the shape {np.shape(lines)}")
        self.lines = [[float(value) for value in line] for line in lines]

    def call(self, inputs: list[Any]) -> TensorB2:
        logit, present = inputs
        avatar, nickname = ops.split(ops.cast(present, "int32"), 2, axis=1)
        line = ops.take(ops.convert_to_tensor(self.lines, "float32"), 2 * avatar[:, 0] + nickname[:, 0], axis=0)
        logit = line[:, :1] * logit + line[:, 1:]
        # 1 - P would round the small probabilities of sure answers.
        return ops.sigmoid(ops.concatenate([-logit, logit], axis=-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "lines": self.lines}
