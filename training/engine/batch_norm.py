"""Estimate the statistics of batch normalization after training."""

from collections.abc import Iterable
from typing import Any

import keras


def estimate_batch_norm(model: keras.Model, batches: Iterable[Any]) -> None:
    """Set the moving statistics to the means over some batches, with fixed weights.

    During training they follow augmented pictures and older weights (Wu and Johnson, 2021,
    https://arxiv.org/abs/2105.07576, section 3.2).
    """
    layers = batch_norms(model)
    momenta = [layer.momentum for layer in layers]
    for number, batch in enumerate(batches):
        for layer in layers:
            layer.momentum = number / (number + 1)
        model(batch, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def batch_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Return the layers of batch normalization in a model and in the models that it contains."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
