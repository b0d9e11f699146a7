"""The compressor of picture vectors (Ge et al., 2018, "Image Matters", https://arxiv.org/abs/1711.06505)."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from ..arrays import Shape, TensorBD, TensorBK


@keras.saving.register_keras_serializable("gender")
class Compressor(keras.layers.Layer):
    """Map picture vectors `[..., D]` to a few trained dimensions `[..., K]`.

    Each dense layer is followed by a PReLU with one slope per unit, at first 0.25 (He et al., 2015,
    https://arxiv.org/abs/1502.01852, section 2.1). The article compresses 4,096 dimensions by `(256, 64, 12)`.

    Args:
        units: Units of the dense layers; the last one is K.

    Raises:
        ValueError: `units` is empty, or the number of dimensions is unknown when the layer is built.
    """

    def __init__(self, units: Sequence[int] = (256, 64, 12), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not units:
            raise ValueError("expected the units of at least one dense layer, got none")
        self.units = tuple(units)
        self.dense = [keras.layers.Dense(each) for each in self.units]

    def build(self, input_shape: Shape) -> None:
        dims = input_shape[-1]
        if dims is None:
            raise ValueError("expected picture vectors of a known size, got None")
        self.slopes = []
        for number, (dense, units) in enumerate(zip(self.dense, self.units, strict=True)):
            dense.build((None, dims))
            self.slopes.append(
                self.add_weight(shape=(units,), initializer=keras.initializers.Constant(0.25), name=f"slope_{number}")
            )
            dims = units

    def call(self, vectors: TensorBD) -> TensorBK:
        for dense, slope in zip(self.dense, self.slopes, strict=True):
            vectors = dense(vectors)
            # keras.layers.PReLU takes one number of axes only.
            vectors = ops.maximum(vectors, 0) + ops.convert_to_tensor(slope) * ops.minimum(vectors, 0)
        return vectors

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}
