"""Platt scaling (Platt, 1999; Guo et al., 2017, arXiv 1706.04599) and the prior for users who show nothing."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("gender")
class Calibration(keras.layers.Layer):
    """Probabilities from a logit.

    Call with `[logit, present]`: float [B, 1] of P(female) and bool [B, 2]; returns float [B, 2] in the
    order of the label file, male and female. Where nothing is present, the class prior.
    """

    def __init__(self, temperature: float = 1.0, bias: float = 0.0, prior_logit: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if temperature <= 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        self.temperature, self.bias, self.prior_logit = temperature, bias, prior_logit

    def call(self, inputs: list[Any]) -> Any:
        logit, present = inputs
        anything = ops.any(present, axis=1, keepdims=True)
        female = ops.sigmoid(ops.where(anything, logit / self.temperature + self.bias, self.prior_logit))
        return ops.concatenate([1 - female, female], axis=-1)

    def get_config(self) -> dict[str, Any]:
        own = {"temperature": self.temperature, "bias": self.bias, "prior_logit": self.prior_logit}
        return {**super().get_config(), **own}
