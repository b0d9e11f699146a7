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


@keras.saving.register_keras_serializable("gender")
class NgramScore(keras.layers.Layer):
    """Sum the weights of a nickname's uni-, bi- and trigrams, divided by the square root of its number of tokens.

    Call it with token ids, int32 `[B, T]`, padded with 0 at the end; it returns `[B, 1]`. At each token t with
    neighbors p and q (0 beyond the ends), the n-grams are t, pt and ptq. With S buckets and M = 7919, their buckets are
    h₁ = tM mod S, h₂ = (h₁ + p)M mod S and h₃ = (h₂ + q)M mod S. The score does not depend on the length of padding.

    Args:
        buckets: Number of buckets, at most 2¹⁸.
    """

    def __init__(self, buckets: int = MAX_BUCKETS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < buckets <= MAX_BUCKETS:
            raise ValueError(f"expected 1 to {MAX_BUCKETS} buckets, got {buckets}")
        self.buckets = buckets

    def build(self, _: Shape) -> None:
        self.table = self.add_weight(shape=(self.buckets,), initializer="zeros", name="table")

    def call(self, tokens: TensorBT) -> TensorB1:
        tokens = ops.cast(tokens, "int32")
        before, after = ops.pad(tokens, [[0, 0], [1, 0]])[:, :-1], ops.pad(tokens, [[0, 0], [0, 1]])[:, 1:]
        unigram = self._hash(tokens)
        bigram = self._hash(unigram + before)
        trigram = self._hash(bigram + after)
        weights = sum(ops.take(self.table, bucket) for bucket in (unigram, bigram, trigram))
        valid = ops.cast(ops.not_equal(tokens, 0), weights.dtype)
        return ops.sum(weights * valid, axis=1, keepdims=True) / ops.sqrt(ops.sum(valid, axis=1, keepdims=True))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "buckets": self.buckets}

    def _hash(self, state: TensorBT) -> TensorBT:
        return state * MULTIPLIER % self.buckets
