"""Convolutional block attention (Woo et al., 2018, arXiv 1807.06521): what to look at, then where."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("gender")
class CBAM(keras.layers.Layer):
    """Weigh the channels of a feature map, then its places: float [B, H, W, C] to the same.

    F' = 2 sigmoid(MLP(mean F) + MLP(max F)) F and F'' = 2 sigmoid(conv([max F'; mean F'])) F', where the MLP
    narrows to C / `ratio` and mean and max are over places, then over channels.

    The paper's gates are without the factor 2. With it, and with zeros in the last layer of the MLP and in the
    convolution, a new module passes its input on unchanged: four of them in a pretrained trunk, each at
    sigmoid(0) squared, would leave 1/256 of the signal. The batch normalisation that the authors' code has
    after the convolution is not in the paper and not here: it would blow up the first step away from zero.

    Raises:
        ValueError: when built, fewer channels than `ratio`.
    """

    def __init__(self, ratio: int = 16, kernel_size: int = 7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ratio, self.kernel_size = ratio, kernel_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        if channels is None or channels < self.ratio:
            raise ValueError(f"a ratio of {self.ratio} needs as many channels, got {channels}")
        self.narrow = keras.layers.Dense(channels // self.ratio, activation="relu")
        self.narrow.build((None, channels))
        self.widen = keras.layers.Dense(channels, kernel_initializer="zeros")
        self.widen.build((None, channels // self.ratio))
        self.where = keras.layers.Conv2D(
            1, self.kernel_size, padding="same", use_bias=False, kernel_initializer="zeros"
        )
        self.where.build((*input_shape[:-1], 2))

    def call(self, inputs: Any) -> Any:
        weighed = inputs * self.channel_gate(inputs)
        return weighed * self.spatial_gate(weighed)

    def channel_gate(self, features: Any) -> Any:
        """Float [B, 1, 1, C] in (0, 2)."""
        pooled = (ops.mean(features, axis=(1, 2)), ops.max(features, axis=(1, 2)))
        average, largest = (self.widen(self.narrow(each)) for each in pooled)
        return 2 * ops.sigmoid(average + largest)[:, None, None, :]

    def spatial_gate(self, features: Any) -> Any:
        """Float [B, H, W, 1] in (0, 2)."""
        pooled = [ops.max(features, axis=-1, keepdims=True), ops.mean(features, axis=-1, keepdims=True)]
        return 2 * ops.sigmoid(self.where(ops.concatenate(pooled, axis=-1)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ratio": self.ratio, "kernel_size": self.kernel_size}
