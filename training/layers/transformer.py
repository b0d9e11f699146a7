"""The transformer encoder of the text tower (Vaswani et al., 2017, section 3, https://arxiv.org/abs/1706.03762)."""

from typing import Any

import keras
from keras import ops

from ..arrays import Shape, TensorBD, TensorBT, TensorBTD


@keras.saving.register_keras_serializable("gender")
class PositionEmbedding(keras.layers.Layer):
    """Add a learned vector to each step of `[B, T, D]`.

    Args:
        steps: The largest T.
    """

    def __init__(self, steps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.steps = steps

    def build(self, input_shape: Shape) -> None:
        shape = (self.steps, input_shape[-1])
        self.positions = self.add_weight(shape=shape, initializer="random_normal", name="positions")

    def call(self, inputs: TensorBTD) -> TensorBTD:
        return inputs + self.positions[: ops.shape(inputs)[1]]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "steps": self.steps}


@keras.saving.register_keras_serializable("gender")
class TransformerEncoderLayer(keras.layers.Layer):
    """Self-attention and a feed-forward network, each with dropout, residual and layer normalization (post-norm).

    Call it with `[x [B, T, D], valid [B, T]]`; it returns `[B, T, D]`. No step attends to padding.

    Args:
        heads: Number of attention heads; must divide D.
        feed_forward: Hidden size of the feed-forward network.
        dropout: Dropout rate.

    Raises:
        ValueError: When built, if `heads` does not divide D.
    """

    def __init__(self, heads: int = 4, feed_forward: int = 512, dropout: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads, self.feed_forward, self.dropout_rate = heads, feed_forward, dropout

    def build(self, input_shape: list[Shape]) -> None:
        steps_shape = input_shape[0]
        size = steps_shape[-1]
        if size is None or size % self.heads:
            raise ValueError(f"expected a feature size divisible by {self.heads} heads, got {size}")
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

    def call(self, inputs: list[Any], training: bool | None = None) -> TensorBTD:
        x, valid = inputs
        attended = self.attention(x, x, attention_mask=valid[:, None, :], training=training)
        x = self.norms[0](x + self.dropout(attended, training=training))
        return self.norms[1](x + self.dropout(self.narrow(self.widen(x)), training=training))

    def get_config(self) -> dict[str, Any]:
        own = {"heads": self.heads, "feed_forward": self.feed_forward, "dropout": self.dropout_rate}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("gender")
class MaskedMean(keras.layers.Layer):
    """Average the valid steps, so that padding does not shrink short nicknames.

    Call it with `[x [B, T, D], valid [B, T]]`; it returns `[B, D]`. Every row needs a valid step.
    """

    def call(self, inputs: list[Any]) -> TensorBD:
        x, valid = inputs
        mask = ops.cast(valid, x.dtype)[..., None]
        return ops.sum(x * mask, axis=1) / ops.sum(mask, axis=1)


# Saved models know the function by this name.
@keras.saving.register_keras_serializable("gender", name="_is_token")
def is_token(ids: TensorBT) -> TensorBT:
    """Return where token ids, `[B, T]`, are not padding."""
    return ops.not_equal(ids, 0)
