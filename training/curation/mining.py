"""Online hard example mining: the second network of a cascade learns what the first one finds hard.

Article 003, section 三.3, after Shrivastava et al., 2016 (https://arxiv.org/abs/1604.03540).
"""

from typing import Any

import keras
from keras import ops

from ..arrays import Shape, TensorB
from .hard_examples import hardest
from .multitask import cross_entropies, multitask_losses


class HardExampleMining(keras.Model):
    """Trains two networks; call it with `[pictures [A, S, S, 3], labels [A, T]]` to get the loss `[A]`.

    The first network learns from all pictures, the second from the `count` of them whose loss under the first is
    largest, and from `ordinary` others: from the hard ones alone, it would learn to contradict the first. Its mean loss
    is added to that of each picture, so that the mean of the result is the sum of both means.

    Args:
        first: From pictures to logits `[A, T]`.
        second: From pictures to the logit of one attribute, `[A, 1]`.
        column: The attribute of the second network: pictures are ranked by the first network's loss on it.
        batch: A.
        count: B.
        ordinary: Pictures of the batch that the second network sees whatever their loss: the first ones, because
            batches have no order.
    """

    def __init__(
        self,
        first: keras.Model,
        second: keras.Model,
        column: int,
        batch: int = 64,
        count: int = 16,
        ordinary: int = 0,
    ) -> None:
        super().__init__(name="hard_example_mining")
        self.first, self.second, self.column = first, second, column
        self.batch, self.count, self.ordinary = batch, count, ordinary

    def call(self, inputs: list[Any], training: bool | None = None) -> TensorB:
        pictures, labels = inputs
        logits = self.first(pictures, training=training)
        column = slice(self.column, self.column + 1)
        losses = ops.reshape(cross_entropies(logits[:, column], labels[:, column]), (self.batch,))
        rows = hardest(ops.stop_gradient(losses), self.count)
        rows = ops.concatenate([rows, ops.arange(self.ordinary, dtype=rows.dtype)])
        hard = self.second(ops.take(pictures, rows, axis=0), training=training)
        of_second = multitask_losses(hard, ops.take(labels[:, column], rows, axis=0))
        return multitask_losses(logits, labels) + ops.mean(of_second)

    def compute_output_shape(self, shapes: list[Shape]) -> Shape:
        return shapes[0][:1]
