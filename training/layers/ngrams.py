"""Hashed n-grams of tokens, the features of FastText (Joulin et al., 2016, https://arxiv.org/abs/1607.01759)."""

from typing import Any, Final

import keras
from keras import ops

from ..arrays import Shape, TensorBT

# A prime. Its product with the largest bucket stays below 2³¹, so int32 does not overflow.
_MULTIPLIER: Final = 7919
_MAX_BUCKETS: Final = 2**18


@keras.saving.register_keras_serializable("gender")
class HashedNgrams(keras.layers.Layer):
    """Hashes the n-grams of token ids into buckets (section 2.2).

    Call with int32 `[B, T]`, padded with 0 at the end; returns int32 `[B, G]` with ids from 1 to `buckets`, padded
    with 0 anywhere. Two more tokens mark the ends: `小宝` has the n-grams `小`, `宝`, `^小`, `小宝`, `宝$`, `^小宝` and
    `小宝$`.

    Args:
        vocabulary_size: Token ids are below it.
        buckets: Number of buckets, at most 2¹⁸.
        max_n: Length of the longest n-gram.
    """

    def __init__(self, vocabulary_size: int, buckets: int, max_n: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < buckets <= _MAX_BUCKETS:
            raise ValueError(f"expected 1 to {_MAX_BUCKETS} buckets, got {buckets}")
        self.vocabulary_size, self.buckets, self.max_n = vocabulary_size, buckets, max_n

    def call(self, tokens: TensorBT) -> TensorBT:
        start, end = self.vocabulary_size, self.vocabulary_size + 1
        length = ops.sum(ops.cast(ops.not_equal(tokens, 0), "int32"), axis=1, keepdims=True)
        position = ops.arange(tokens.shape[1] + 2, dtype="int32")[None, :]
        marked = ops.pad(ops.cast(tokens, "int32"), [[0, 0], [1, 1]])
        marked = ops.where(position == 0, start, ops.where(position == length + 1, end, marked))
        ngrams = []
        for n in range(1, self.max_n + 1):
            last = position[:, n - 1 :]
            # The ends alone are no n-grams.
            valid = ops.logical_and(last >= 1, last <= (length if n == 1 else length + 1))
            ngrams.append(ops.where(valid, 1 + self._hash(marked, n), 0))
        return ops.concatenate(ngrams, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        steps = (input_shape[1] or 0) + 2
        return (input_shape[0], sum(steps + 1 - n for n in range(1, self.max_n + 1)))

    def get_config(self) -> dict[str, Any]:
        own = {"vocabulary_size": self.vocabulary_size, "buckets": self.buckets, "max_n": self.max_n}
        return {**super().get_config(), **own}

    def _hash(self, tokens: TensorBT, n: int) -> TensorBT:
        """Return the bucket of the n-gram that starts at each position, from 0."""
        starts = tokens.shape[1] + 1 - n
        state = ops.full_like(tokens[:, :starts], n)
        for offset in range(n):
            state = (state * _MULTIPLIER + tokens[:, offset : offset + starts]) % self.buckets
        return state
