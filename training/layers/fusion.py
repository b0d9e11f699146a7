"""Fusion of avatar and nickname features: concatenation (the article's version 1) and attention (version 2)."""

from typing import Any

import keras
from keras import ops

from ..arrays import Shape, TensorB2, TensorBD

_MASKED_SCORE = -1e9


class _Fusion(keras.layers.Layer):
    """Base of both fusions: replaces a missing feature by a learned null vector.

    Call it with `[avatar [B, D], nickname [B, D], present [B, 2]]`; it returns the fused feature `[B, D]` and the
    weight of each modality `[B, 2]`.

    Raises:
        ValueError: When built, if the feature sizes differ or are unknown.
    """

    def build(self, input_shape: list[Shape]) -> None:
        avatar, nickname, _ = input_shape
        size = avatar[-1]
        if size is None or nickname[-1] != size:
            raise ValueError(f"expected two features of the same known size, got {avatar} and {nickname}")
        self.null_avatar = self.add_weight(shape=(size,), initializer="zeros", name="null_avatar")
        self.null_nickname = self.add_weight(shape=(size,), initializer="zeros", name="null_nickname")

    def with_nulls(self, avatar: TensorBD, nickname: TensorBD, present: TensorB2) -> tuple[TensorBD, TensorBD]:
        """Replace the missing features."""
        return (
            ops.where(present[:, :1], avatar, ops.convert_to_tensor(self.null_avatar)),
            ops.where(present[:, 1:], nickname, ops.convert_to_tensor(self.null_nickname)),
        )


@keras.saving.register_keras_serializable("gender")
class AttentionFusion(_Fusion):
    """Weight avatar and nickname features against each other (the article's `_attention`).

    With z = [v; t; v − t], the weights are w = softmax(Dense(2)(relu(Dense(hidden)(z)))) and the fused feature is
    w₁v + w₂t. The weight of a missing modality is exactly 0; without any modality, weights and feature are 0.

    The article states no nonlinearity between its two dense layers; without one they are a single linear map, so a
    ReLU is added.
    """

    def __init__(self, hidden: int = 128, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden = hidden
        self.score_hidden = keras.layers.Dense(hidden, activation="relu")
        self.score = keras.layers.Dense(2)

    def build(self, input_shape: list[Shape]) -> None:
        super().build(input_shape)
        (size,) = self.null_avatar.shape
        self.score_hidden.build((None, 3 * size))
        self.score.build((None, self.hidden))

    def call(self, inputs: list[Any]) -> tuple[TensorBD, TensorB2]:
        *_, present = inputs
        avatar, nickname = self.with_nulls(*inputs)
        scores = self.score(self.score_hidden(ops.concatenate([avatar, nickname, avatar - nickname], axis=-1)))
        weights = ops.softmax(ops.where(present, scores, ops.full_like(scores, _MASKED_SCORE)), axis=-1)
        # If both scores are masked, the softmax is 1/2 each, so set the weights of missing modalities to 0.
        weights = weights * ops.cast(present, weights.dtype)
        return weights[:, :1] * avatar + weights[:, 1:] * nickname, weights

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden": self.hidden}


@keras.saving.register_keras_serializable("gender")
class ConcatFusion(_Fusion):
    """Concatenate avatar and nickname features: relu(Dense(D)([v; t])).

    The layer computes no weights; it returns equal shares of the present modalities.
    """

    def build(self, input_shape: list[Shape]) -> None:
        super().build(input_shape)
        (size,) = self.null_avatar.shape
        self.join = keras.layers.Dense(size, activation="relu")
        self.join.build((None, 2 * size))

    def call(self, inputs: list[Any]) -> tuple[TensorBD, TensorB2]:
        *_, present = inputs
        fused = self.join(ops.concatenate(self.with_nulls(*inputs), axis=-1))
        shares = ops.cast(present, fused.dtype)
        return fused, ops.divide_no_nan(shares, ops.sum(shares, axis=-1, keepdims=True))
