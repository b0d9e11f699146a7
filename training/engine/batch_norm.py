"""Statistics of batch normalization in a short training, and after it."""

from collections.abc import Iterable
from typing import Any, Final

import keras

SHORT_TRAINING_MOMENTUM: Final = 0.9


def lower_batch_norm_momentum(model: keras.Model) -> None:
    """Make the moving statistics adapt within tens of steps.

    With the original momentum (0.999 in MobileNetV2) they would lag behind the weights for all of a short training.
    """
    for layer in batch_norms(model):
        layer.momentum = SHORT_TRAINING_MOMENTUM


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
