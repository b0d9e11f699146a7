"""Pooling of a user's liked pictures by attention (Ge et al., 2017, section 4.2, https://arxiv.org/abs/1711.06505)."""

from typing import Any

import keras
from keras import ops

from ..arrays import Shape, TensorBKD, TensorBT, TensorBTD
from .channel_prelu import ChannelPReLU

_MASKED_SCORE = -1e9


@keras.saving.register_keras_serializable("gender")
class AttentivePooling(keras.layers.Layer):
    """Averages items, weighted by their relevance for a query: α = softmax(MLP([q; b])), p = Σⱼ αⱼ bⱼ.

    Call it with `[queries [B, K, Q], items [B, T, D], mask [B, T]]`; it returns `[B, K, D]`. Masked items have the
    weight 0. Without any item, the result is a learned null vector.

    Args:
        hidden: Units of the MLP's hidden layer, which has PReLU.
    """

    def __init__(self, hidden: int = 16, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden = hidden
        # The layer of [q; b] is the sum of one of q and one of b, computed once for each of both.
        self.of_query = keras.layers.Dense(hidden)
        self.of_item = keras.layers.Dense(hidden, use_bias=False)
        self.activation = ChannelPReLU()
        self.score = keras.layers.Dense(1, use_bias=False)

    def build(self, input_shape: list[Shape]) -> None:
        queries, items, _ = input_shape
        self.of_query.build((None, queries[-1]))
        self.of_item.build((None, items[-1]))
        self.activation.build((None, self.hidden))
        self.score.build((None, self.hidden))
        self.null = self.add_weight(shape=(items[-1],), initializer="zeros", name="null")

    def call(self, inputs: list[Any]) -> TensorBKD:
        queries, items, mask = inputs
        pooled = ops.matmul(self.weights_of(queries, items, mask), items)
        empty = ops.logical_not(ops.any(mask, axis=1))[:, None, None]
        return ops.where(empty, ops.convert_to_tensor(self.null), pooled)

    def weights_of(self, queries: TensorBKD, items: TensorBTD, mask: TensorBT) -> TensorBTD:
        """Return the weight of each item for each query, `[B, K, T]`; they sum to 1, or are 0 if all are masked."""
        joined = self.of_query(queries)[:, :, None] + self.of_item(items)[:, None]
        scores = self.score(self.activation(joined))[..., 0]
        masked = ops.where(mask[:, None], scores, ops.full_like(scores, _MASKED_SCORE))
        return ops.softmax(masked, axis=-1) * ops.cast(mask[:, None], scores.dtype)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        return (*input_shape[0][:2], input_shape[1][-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden": self.hidden}


@keras.saving.register_keras_serializable("gender")
class MultiQueryAttentivePooling(keras.layers.Layer):
    """Pools the same items for queries of several kinds, such as the candidate's picture and its id with the user's
    features. Each kind has weights of its own; the results are concatenated.

    Call it with `[queries [B, K, Q₁], …, items [B, T, D], mask [B, T]]`; it returns `[B, K, D · kinds]`. K may be 1 for
    a kind that is the same for all candidates.
    """

    def __init__(self, hidden: int = 16, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden = hidden

    def build(self, input_shape: list[Shape]) -> None:
        *queries, items, mask = input_shape
        self.channels = [AttentivePooling(self.hidden) for _ in queries]
        for channel, query in zip(self.channels, queries, strict=True):
            channel.build([query, items, mask])

    def call(self, inputs: list[Any]) -> TensorBKD:
        *queries, items, mask = inputs
        pooled = [channel([query, items, mask]) for channel, query in zip(self.channels, queries, strict=True)]
        first = pooled[0][..., :1]
        return ops.concatenate([each + ops.zeros_like(first) for each in pooled], axis=-1)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        *queries, items, _ = input_shape
        return (*queries[0][:2], (items[-1] or 0) * len(queries))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden": self.hidden}
