"""Fusion of avatar and nickname: by concatenation ("version 1" of the article) and by attention ("version 2")."""

from typing import Any

import keras
from keras import ops

_NEVER = -1e9


class _Fusion(keras.layers.Layer):
    """Two features of one size, and a learned null vector in the place of each that is missing.

    Call with `[v, t, present]`: float [B, D], float [B, D], bool [B, 2]; returns the fused features,
    float [B, D], and what each modality weighs in them, float [B, 2].

    Raises:
        ValueError: when built, the features are of different or unknown sizes.
    """

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        avatar, nickname, _ = input_shape
        size = avatar[-1]
        if size is None or nickname[-1] != size:
            raise ValueError(f"both features need the same known size, got avatar {avatar} and nickname {nickname}")
        self.null_avatar = self.add_weight(shape=(size,), initializer="zeros", name="null_avatar")
        self.null_nickname = self.add_weight(shape=(size,), initializer="zeros", name="null_nickname")

    def or_null(self, inputs: list[Any]) -> tuple[Any, Any]:
        avatar, nickname, present = inputs
        return (
            ops.where(present[:, :1], avatar, self.null_avatar),
            ops.where(present[:, 1:], nickname, self.null_nickname),
        )


@keras.saving.register_keras_serializable("gender")
class AttentionFusion(_Fusion):
    """Weigh avatar and nickname features against each other.

    With z = [v; t; v - t], w = softmax(Dense(2)(relu(Dense(hidden)(z)))) and f = w1 v + w2 t. A missing
    modality is replaced by a learned null vector and its weight is exactly 0; with both missing, both
    weights are 0 and so is f.

    Source: the article's `_attention`; its two dense layers are given the nonlinearities that it does
    not state (without one between them they would be a single linear map).
    """

    def __init__(self, hidden: int = 128, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden = hidden
        self.score_hidden = keras.layers.Dense(hidden, activation="relu")
        self.score = keras.layers.Dense(2)

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        super().build(input_shape)
        (size,) = self.null_avatar.shape
        self.score_hidden.build((None, 3 * size))
        self.score.build((None, self.hidden))

    def call(self, inputs: list[Any]) -> tuple[Any, Any]:
        *_, present = inputs
        avatar, nickname = self.or_null(inputs)
        scores = self.score(self.score_hidden(ops.concatenate([avatar, nickname, avatar - nickname], axis=-1)))
        weights = ops.softmax(ops.where(present, scores, ops.full_like(scores, _NEVER)), axis=-1)
        # Where both scores are masked the softmax is 1/2 each: nothing was seen, so nothing weighs.
        weights = weights * ops.cast(present, weights.dtype)
        return weights[:, :1] * avatar + weights[:, 1:] * nickname, weights

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden": self.hidden}


@keras.saving.register_keras_serializable("gender")
class ConcatFusion(_Fusion):
    """Join avatar and nickname features, for comparison with attention: f = relu(Dense(D)([v; t])).

    A missing modality is replaced by a learned null vector. Nothing is weighed here: the weights are equal
    shares of what is present, 0 where nothing is.
    """

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        super().build(input_shape)
        (size,) = self.null_avatar.shape
        self.join = keras.layers.Dense(size, activation="relu")
        self.join.build((None, 2 * size))

    def call(self, inputs: list[Any]) -> tuple[Any, Any]:
        *_, present = inputs
        fused = self.join(ops.concatenate(self.or_null(inputs), axis=-1))
        shown = ops.cast(present, fused.dtype)
        return fused, ops.divide_no_nan(shown, ops.sum(shown, axis=-1, keepdims=True))
