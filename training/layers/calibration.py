"""Platt scaling in the graph (Platt, 1999; Guo et al., 2017, section 4.1, https://arxiv.org/abs/1706.04599)."""

from typing import Any

import keras
from keras import ops

from ..arrays import TensorB2


@keras.saving.register_keras_serializable("gender")
class Calibration(keras.layers.Layer):
    """Convert a logit to the probabilities of male and female.

    Call it with `[logit [B, 1], present [B, 2]]`; it returns `[B, 2]`. A row without any modality gets the class
    prior.

    Args:
        temperature: Divides the logit.
        bias: Is added to the divided logit.
        prior_logit: Logit of the class prior of female.

    Raises:
        ValueError: `temperature` is not positive.
    """

    def __init__(self, temperature: float = 1.0, bias: float = 0.0, prior_logit: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if temperature <= 0:
            raise ValueError(f"expected a positive temperature, got {temperature}")
        self.temperature, self.bias, self.prior_logit = temperature, bias, prior_logit

    def call(self, inputs: list[Any]) -> TensorB2:
        logit, present = inputs
        any_present = ops.any(present, axis=1, keepdims=True)
        p_female = ops.sigmoid(ops.where(any_present, logit / self.temperature + self.bias, self.prior_logit))
        return ops.concatenate([1 - p_female, p_female], axis=-1)

    def get_config(self) -> dict[str, Any]:
        own = {"temperature": self.temperature, "bias": self.bias, "prior_logit": self.prior_logit}
        return {**super().get_config(), **own}
