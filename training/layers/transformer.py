"""The transformer encoder of the text tower (Vaswani et al., 2017, arXiv 1706.03762), post-norm."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("gender")
class PositionEmbedding(keras.layers.Layer):
    """Add a learned vector for each of the steps: float [B, T, D] to the same."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        _, steps, size = input_shape
        self.positions = self.add_weight(shape=(steps, size), initializer="random_normal", name="positions")

    def call(self, inputs: Any) -> Any:
        return inputs + self.positions


@keras.saving.register_keras_serializable("gender")
class TransformerEncoderLayer(keras.layers.Layer):
    """Self-attention and a feed-forward network, each with residual, dropout and layer normalisation.

    Call with `[x, valid]`: float [B, T, D] and bool [B, T]; padding is attended by nobody.
    """

    def __init__(self, heads: int = 4, feed_forward: int = 512, dropout: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads, self.feed_forward, self.dropout_rate = heads, feed_forward, dropout

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        steps_shape = input_shape[0]
        size = steps_shape[-1]
        if size is None or size % self.heads:
            raise ValueError(f"feature size must be divisible by {self.heads} heads, got {size}")
        self.attention = keras.layers.MultiHeadAttention(self.heads, size // self.heads)
        self.attention.build(steps_shape, steps_shape)
        self.widen = keras.layers.Dense(self.feed_forward, activation="relu")
        self.widen.build(steps_shape)
        self.narrow = keras.layers.Dense(size)
        self.narrow.build((*steps_shape[:-1], self.feed_forward))
        self.norms = [keras.layers.LayerNormalization(epsilon=1e-5) for _ in range(2)]
        for norm in self.norms:
            norm.build(steps_shape)
        self.dropout = keras.layers.Dropout(self.dropout_rate)

    def call(self, inputs: list[Any], training: bool | None = None) -> Any:
        x, valid = inputs
        attended = self.attention(x, x, attention_mask=valid[:, None, :], training=training)
        x = self.norms[0](x + self.dropout(attended, training=training))
        return self.norms[1](x + self.dropout(self.narrow(self.widen(x)), training=training))

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        own = {"heads": self.heads, "feed_forward": self.feed_forward, "dropout": self.dropout_rate}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("gender")
class MaskedMean(keras.layers.Layer):
    """Mean over the valid steps only, so that short nicknames do not shrink.

    Call with `[x, valid]`: float [B, T, D] and bool [B, T]; returns [B, D]. Every row has a valid step.
    """

    def call(self, inputs: list[Any]) -> Any:
        x, valid = inputs
        share = ops.cast(valid, x.dtype)[..., None]
        return ops.sum(x * share, axis=1) / ops.sum(share, axis=1)

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        steps_shape = input_shape[0]
        return (steps_shape[0], steps_shape[2])
