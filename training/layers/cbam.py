"""Convolutional block attention module (Woo et al., 2018, https://arxiv.org/abs/1807.06521)."""

from typing import Any

import keras
from keras import ops

from ..arrays import Shape, TensorBHWC


@keras.saving.register_keras_serializable("gender")
class CBAM(keras.layers.Layer):
    """Weight the channels of a feature map `[B, H, W, C]`, then its places (section 3).

    F' = 2σ(MLP(mean F) + MLP(max F)) · F and F'' = 2σ(conv([max F'; mean F'])) · F'. The MLP narrows to C / `ratio`.
    Mean and max are over places in the first gate and over channels in the second.

    The factor 2 is not in the paper. With it, and with zero-initialized last weights in both gates, a new module is
    the identity; in the paper's form, four new modules in a pretrained trunk would leave σ(0)⁸ = 1/256 of the signal.
    The authors' code adds batch normalization after the convolution; the paper does not, and it would amplify the
    first step away from zero.

    Raises:
        ValueError: When built, if there are fewer channels than `ratio`.
    """

    def __init__(self, ratio: int = 16, kernel_size: int = 7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ratio, self.kernel_size = ratio, kernel_size

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        if channels is None or channels < self.ratio:
            raise ValueError(f"expected at least as many channels as the ratio {self.ratio}, got {channels}")
        self.narrow = keras.layers.Dense(channels // self.ratio, activation="relu")
        self.narrow.build((None, channels))
        self.widen = keras.layers.Dense(channels, kernel_initializer="zeros")
        self.widen.build((None, channels // self.ratio))
        self.where = keras.layers.Conv2D(
            1, self.kernel_size, padding="same", use_bias=False, kernel_initializer="zeros"
        )
        self.where.build((*input_shape[:-1], 2))

    def call(self, inputs: TensorBHWC) -> TensorBHWC:
        weighted = inputs * self.channel_gate(inputs)
        return weighted * self.spatial_gate(weighted)

    def channel_gate(self, features: TensorBHWC) -> TensorBHWC:
        """Return the weights of the channels, `[B, 1, 1, C]` in (0, 2)."""
        pooled = (ops.mean(features, axis=(1, 2)), ops.max(features, axis=(1, 2)))
        average, largest = (self.widen(self.narrow(each)) for each in pooled)
        return 2 * ops.sigmoid(average + largest)[:, None, None, :]

    def spatial_gate(self, features: TensorBHWC) -> TensorBHWC:
        """Return the weights of the places, `[B, H, W, 1]` in (0, 2)."""
        pooled = [ops.max(features, axis=-1, keepdims=True), ops.mean(features, axis=-1, keepdims=True)]
        return 2 * ops.sigmoid(self.where(ops.concatenate(pooled, axis=-1)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ratio": self.ratio, "kernel_size": self.kernel_size}
