"""MoCo v2: contrast two views of a picture against a queue of earlier pictures.

He et al., 2019 (https://arxiv.org/abs/1911.05722); Chen et al., 2020 (https://arxiv.org/abs/2003.04297).
"""

import math
from typing import Any

import keras
from keras import ops

from ..arrays import Shape, TensorB, TensorBD, TensorBHWC, TensorKD
from .key_queue import KeyQueue


def info_nce(queries: TensorBD, keys: TensorBD, queue: TensorKD, temperature: float) -> TensorB:
    """Return −log(exp(q·k⁺/τ) / (exp(q·k⁺/τ) + Σ exp(q·k⁻/τ))) for each query (MoCo, equation 1).

    Args:
        queries: Unit vectors `[B, D]`.
        keys: k⁺, the unit vectors of the same pictures, `[B, D]`. They receive no gradient.
        queue: k⁻, unit vectors of other pictures, `[K, D]`.
        temperature: τ.

    Returns:
        The loss `[B]` in nats, about ln(K + 1) for random vectors.
    """
    positive = ops.sum(queries * ops.stop_gradient(keys), axis=1, keepdims=True)
    logits = ops.concatenate([positive, ops.matmul(queries, ops.transpose(queue))], axis=1) / temperature
    return ops.logsumexp(logits, axis=1) - logits[:, 0]


def projection_head(hidden: int, size: int, batch_norm: bool = False) -> keras.Sequential:
    """Return a head from features `[B, F]` to unit vectors `[B, D]`: Dense, ReLU, Dense.

    That of MoCo v2 has no batch normalization; that of SwAV has one before its ReLU.
    """
    return keras.Sequential(
        [
            keras.layers.Dense(hidden),
            *([keras.layers.BatchNormalization()] if batch_norm else []),
            keras.layers.ReLU(),
            keras.layers.Dense(size),
            keras.layers.UnitNormalization(axis=1),
        ],
        name="head",
    )


class MoCo(keras.Model):
    """Trains an encoder on pairs of views; call it with `[view [B, S, S, C], other view]` to get the loss `[B]`.

    A second encoder, the moving average of the first, computes the keys. It sees them in a random order and in
    `splits` parts, each with batch statistics of its own: with the statistics that the queries have, the encoder could
    tell the positive key by them (MoCo, section 3.3).

    Args:
        encoder: The trained encoder, from pictures to features `[B, F]`.
        twin: Another encoder of the same architecture; it starts as a copy.
        size: D, the size of the contrasted vectors.
        hidden: Hidden size of both heads.
        queue: K, the number of keys kept; a multiple of every batch.
        momentum: m of the moving average, θ_k ← m·θ_k + (1 − m)·θ_q.
        temperature: τ.
        splits: The parts of a batch of keys; they divide every batch.
        seed: Seed of the queue and of the order of the keys.
    """

    def __init__(
        self,
        encoder: keras.Model,
        twin: keras.Model,
        *,
        size: int = 128,
        hidden: int = 2048,
        queue: int = 8192,
        momentum: float = 0.999,
        temperature: float = 0.2,
        splits: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__(name="moco")
        self.encoder, self.momentum, self.temperature, self.splits = encoder, momentum, temperature, splits
        self.queries = keras.Sequential([encoder, projection_head(hidden, size)], name="queries")
        self.keys = keras.Sequential([twin, projection_head(hidden, size)], name="keys")
        for network in (self.queries, self.keys):
            network.build(encoder.input_shape)
        self.keys.set_weights(self.queries.get_weights())
        # The variables, not the layers: a layer that is not trainable would use the moving statistics.
        for variable in self.keys.trainable_variables:
            variable.trainable = False
        self.random = keras.random.SeedGenerator(seed)
        self.queue = KeyQueue(queue, size, seed)

    def call(self, views: list[TensorBHWC], training: bool | None = None) -> TensorB:
        """Return the loss; in training, also move the key encoder and replace the oldest keys."""
        view, other = views
        if training:
            self._move_keys()
        keys = self._shuffled_keys(other, training)
        loss = info_nce(self.queries(view, training=training), keys, self.queue.keys.value, self.temperature)
        if training:
            self.queue.push(keys)
        return loss

    def _move_keys(self) -> None:
        for mean, value in zip(self.keys.weights, self.queries.weights, strict=True):
            if value.trainable:
                mean.assign(self.momentum * mean + (1 - self.momentum) * ops.stop_gradient(value))

    def _shuffled_keys(self, view: TensorBHWC, training: bool | None) -> TensorBD:
        if not training:
            return self.keys(view, training=False)
        order = keras.random.shuffle(ops.arange(ops.shape(view)[0]), seed=self.random)
        parts = ops.split(ops.take(view, order, axis=0), self.splits)
        shuffled = ops.concatenate([self.keys(part, training=True) for part in parts])
        return ops.stop_gradient(ops.take(shuffled, ops.argsort(order), axis=0))

    def compute_output_shape(self, views_shape: list[Shape]) -> Shape:
        return views_shape[0][:1]


def chance_loss(queue: int) -> float:
    """Return the loss of an encoder that maps all pictures to one point: ln(K + 1)."""
    return math.log(queue + 1)


def mean_loss(_: Any, losses: TensorB) -> Any:
    """Average the losses that a pretraining model returns as its output."""
    return ops.mean(losses)
