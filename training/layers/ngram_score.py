"""One learned scalar per hashed n-gram of tokens: the wide branch of the text tower (Cheng et al., 2016, section 3.1).

Wide & deep learning: https://arxiv.org/abs/1606.07792. The n-grams are hashed as in FastText
(https://arxiv.org/abs/1607.01759, section 2.2).
"""

from typing import Any, Final

import keras
from keras import ops

from ..arrays import Shape, TensorB1, TensorBT

# A prime. Its product with the sum of a bucket and a token id stays below 2³¹ for ids below 9,000.
MULTIPLIER: Final = 7919
MAX_BUCKETS: Final = 2**18
# Where the neighbors of a token stand from it, in the order in which n-grams take them.
NEIGHBORS: Final = (-1, 1, 2, 3)
# Longer n-grams have buckets of their own: they are many, and each is rare.
LONGEST_COMMON: Final = 3


@keras.saving.register_keras_serializable("gender")
class NgramScore(keras.layers.Layer):
    """Sum the weights of a nickname's n-grams of up to five tokens, divided by the square root of its number of tokens.

    Call it with token ids, int32 `[B, T]`, padded with 0 at the end; it returns `[B, 1]`. At each token t with the
    neighbor p before it and q, r, s behind it (0 beyond the ends), the n-grams are t, pt, ptq, ptqr and ptqrs. With S
    buckets and M = 7919, their buckets are h₁ = tM mod S, h₂ = (h₁ + p)M mod S, h₃ = (h₂ + q)M mod S and so on; those
    of the last two are increased by S. The score does not depend on the length of padding.

    Args:
        buckets: S, at most 2¹⁸; the table has twice as many weights.
    """

    def __init__(self, buckets: int = MAX_BUCKETS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < buckets <= MAX_BUCKETS:
            raise ValueError(f"expected 1 to {MAX_BUCKETS} buckets, got {buckets}")
        self.buckets = buckets

    def build(self, _: Shape) -> None:
        self.table = self.add_weight(shape=(2 * self.buckets,), initializer="zeros", name="table")

    def call(self, tokens: TensorBT) -> TensorB1:
        tokens = ops.cast(tokens, "int32")
        before, behind = -min(NEIGHBORS), max(NEIGHBORS)
        padded = ops.pad(tokens, [[0, 0], [before, behind]])
        steps = ops.shape(tokens)[1]
        bucket = self._hash(tokens)
        weights = ops.take(self.table, bucket)
        for length, offset in enumerate(NEIGHBORS, start=2):
            bucket = self._hash(bucket + padded[:, before + offset : before + offset + steps])
            weights += ops.take(self.table, bucket + self.buckets * (length > LONGEST_COMMON))
        valid = ops.cast(ops.not_equal(tokens, 0), weights.dtype)
        return ops.sum(weights * valid, axis=1, keepdims=True) / ops.sqrt(ops.sum(valid, axis=1, keepdims=True))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "buckets": self.buckets}

    def _hash(self, state: TensorBT) -> TensorBT:
        return state * MULTIPLIER % self.buckets
