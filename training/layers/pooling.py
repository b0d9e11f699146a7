"""Pooling of a user's liked pictures without a query: the alternatives in table 5 of Ge et al., 2017.

Call each with `[items [B, T, D], mask [B, T]]`. Without any item, the results are zeros.
"""

from typing import Any

import keras
from keras import ops

from ..arrays import Shape, TensorBD


@keras.saving.register_keras_serializable("gender")
class SumPooling(keras.layers.Layer):
    """Sums the items; returns `[B, D]`."""

    def call(self, inputs: list[Any]) -> TensorBD:
        items, mask = inputs
        return ops.sum(items * ops.cast(mask[..., None], items.dtype), axis=1)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        return (input_shape[0][0], input_shape[0][-1])


@keras.saving.register_keras_serializable("gender")
class MaxPooling(keras.layers.Layer):
    """Takes the maximum of each dimension over the items; returns `[B, D]`."""

    def call(self, inputs: list[Any]) -> TensorBD:
        items, mask = inputs
        largest = ops.max(ops.where(mask[..., None], items, ops.full_like(items, -1e9)), axis=1)
        return ops.where(ops.any(mask, axis=1)[:, None], largest, ops.zeros_like(largest))

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        return (input_shape[0][0], input_shape[0][-1])


@keras.saving.register_keras_serializable("gender")
class ConcatPooling(keras.layers.Layer):
    """Concatenates the items, with zeros for those that are missing; returns `[B, length · D]`.

    Args:
        length: The largest T.
    """

    def __init__(self, length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.length = length

    def call(self, inputs: list[Any]) -> TensorBD:
        items, mask = inputs
        kept = items * ops.cast(mask[..., None], items.dtype)
        padded = ops.pad(kept, [[0, 0], [0, self.length - ops.shape(items)[1]], [0, 0]])
        return ops.reshape(padded, (-1, self.length * items.shape[-1]))

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        return (input_shape[0][0], self.length * (input_shape[0][-1] or 0))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "length": self.length}
