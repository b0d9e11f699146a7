"""SwAV: predict the cluster of one view of a picture from another view (Caron et al., 2020).

https://arxiv.org/abs/2006.09882
"""

from collections.abc import Sequence
from itertools import groupby

import keras
from keras import ops

from ..arrays import Shape, TensorB, TensorBD, TensorBHWC, TensorBK, TensorKD
from .moco import projection_head


def sinkhorn(scores: TensorBK, epsilon: float = 0.05, iterations: int = 3) -> TensorBK:
    """Assign pictures to prototypes, all prototypes equally often (section 3.1, equations 3 to 5).

    The codes maximize Tr(QᵀCᵀZ) + εH(Q) over the assignments that give each prototype the same mass. They are
    normalized alternately over the prototypes and over the pictures.

    Args:
        scores: Similarity of each picture to each prototype, `[B, K]`, in any float type.
        epsilon: ε, the entropy weight; a smaller one gives harder codes.
        iterations: Number of normalizations.

    Returns:
        Codes `[B, K]` in float32; each row sums to 1. They receive no gradient.
    """
    # In logarithms, because exp(1 / 0.05) overflows half precision. The masses 1/K and 1/B are constant factors, which
    # the next normalization removes.
    log_codes = ops.stop_gradient(ops.cast(scores, "float32")) / epsilon
    for _ in range(iterations):
        log_codes = log_codes - ops.logsumexp(log_codes, axis=0, keepdims=True)
        log_codes = log_codes - ops.logsumexp(log_codes, axis=1, keepdims=True)
    return ops.exp(log_codes)


def swapped_prediction(scores: TensorBK, codes: TensorBK, temperature: float = 0.1) -> TensorB:
    """Return −Σ_k q_k log softmax(scores / τ)_k for each picture (equation 2), `[B]` in nats.

    Args:
        scores: Similarity of one view to each prototype, `[B, K]`.
        codes: Codes of another view of the same pictures, `[B, K]`.
        temperature: τ.
    """
    return -ops.sum(codes * ops.log_softmax(scores / temperature, axis=1), axis=1)


class SwAV(keras.Model):
    """Trains an encoder on several crops of a picture; call it with the list of crops to get the loss `[B]`.

    The first two crops are large and yield codes; every other crop predicts them (section 3.2). Small batches do not
    cover the prototypes, so earlier features join the batch when codes are computed, from step `queue_from` on
    (section 4.2).

    Args:
        encoder: From pictures of any size `[B, S, S, C]` to features `[B, F]`.
        size: D, the size of the projected vectors.
        hidden: Hidden size of the head.
        prototypes: K, the number of clusters.
        epsilon: ε of `sinkhorn`.
        temperature: τ of `swapped_prediction`.
        frozen: Number of first steps in which the prototypes are not trained; one epoch in the paper.
        queue: Number of earlier features for each large crop; a multiple of every batch.
        queue_from: The step that uses the queue first; it must be full by then.
        seed: Seed of the prototypes.
    """

    def __init__(
        self,
        encoder: keras.Model,
        *,
        size: int = 128,
        hidden: int = 2048,
        prototypes: int = 3000,
        epsilon: float = 0.05,
        temperature: float = 0.1,
        frozen: int = 0,
        queue: int = 3840,
        queue_from: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(name="swav")
        self.encoder, self.epsilon, self.temperature = encoder, epsilon, temperature
        self.frozen, self.queue_from = frozen, queue_from
        self.head = projection_head(hidden, size, batch_norm=True)
        self.head.build(encoder.output_shape)
        initializer = keras.initializers.RandomNormal(seed=seed)
        self.prototypes = self.add_weight(shape=(prototypes, size), initializer=initializer, name="prototypes")
        self.queue = self.add_weight(shape=(2, queue, size), initializer="zeros", trainable=False, name="queue")
        self.steps = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="steps")

    def call(self, crops: Sequence[TensorBHWC], training: bool | None = None) -> TensorB:
        """Return the loss, averaged over both codes and the crops that predict them.

        Raises:
            ValueError: There are fewer than two crops.
        """
        if len(crops) < 2:
            raise ValueError(f"expected at least two crops, got {len(crops)}")
        prototypes = self._unit_prototypes()
        features = self._features(crops, training)
        scores = [ops.matmul(feature, ops.transpose(prototypes)) for feature in features]
        codes = [self._codes(scores[view], self.queue.value[view], prototypes) for view in (0, 1)]
        losses = [
            swapped_prediction(other, codes[view], self.temperature)
            for view in (0, 1)
            for index, other in enumerate(scores)
            if index != view
        ]
        if training:
            self._enqueue(features)
        return ops.mean(ops.stack(losses), axis=0)

    def _features(self, crops: Sequence[TensorBHWC], training: bool | None) -> list[TensorBD]:
        """Return the unit vectors of each crop; crops of one size share a batch, as in the authors' code."""
        features = []
        for _, alike in groupby(crops, key=lambda crop: crop.shape[1]):
            group = list(alike)
            together = self.head(self.encoder(ops.concatenate(group), training=training), training=training)
            features += ops.split(together, len(group))
        return features

    def _unit_prototypes(self) -> TensorKD:
        """Return the normalized prototypes; without gradient in the frozen steps."""
        unit = ops.normalize(self.prototypes.value, axis=1)
        return ops.where(self.steps < self.frozen, ops.stop_gradient(unit), unit)

    def _codes(self, scores: TensorBK, queue: TensorKD, prototypes: TensorKD) -> TensorBK:
        batch = ops.shape(scores)[0]
        earlier = ops.matmul(queue, ops.transpose(prototypes))
        with_queue = sinkhorn(ops.concatenate([scores, earlier]), self.epsilon)[:batch]
        return ops.where(self.steps < self.queue_from, sinkhorn(scores, self.epsilon), with_queue)

    def _enqueue(self, features: Sequence[TensorBD]) -> None:
        batch, rows = ops.shape(features[0])[0], self.queue.shape[1]
        newest = ops.stop_gradient(ops.stack(features[:2]))
        start = (self.steps.value * batch) % rows
        self.queue.assign(ops.slice_update(self.queue.value, (0, start, 0), newest))
        self.steps.assign(self.steps + 1)

    def compute_output_shape(self, crops_shape: Sequence[Shape]) -> Shape:
        return crops_shape[0][:1]
