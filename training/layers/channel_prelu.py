"""PReLU with one slope for each channel (He et al., 2015, section 2.1, https://arxiv.org/abs/1502.01852)."""

from typing import Any

import keras
from keras import ops

from ..arrays import Shape, TensorBTD


@keras.saving.register_keras_serializable("gender")
class ChannelPReLU(keras.layers.Layer):
    """max(0, x) + a · min(0, x), with a learned slope `a` for each of the D channels of `[..., D]`; it starts at 0.25.

    Keras's own PReLU has a fixed number of dimensions, and its slopes start at 0.
    """

    def build(self, input_shape: Shape) -> None:
        first = keras.initializers.Constant(0.25)
        self.slopes = self.add_weight(shape=(input_shape[-1],), initializer=first, name="slopes")

    def call(self, x: TensorBTD) -> Any:
        return ops.maximum(x, 0.0) + self.slopes * ops.minimum(x, 0.0)
