"""Statistics of batch normalization in a short training, and after it."""

from collections.abc import Iterable
from typing import Any, Final

import keras
from keras import ops

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


def adopt_batch_norm(network: keras.Model, batches: Iterable[Any]) -> None:
    """Set the moving statistics to those over some batches, and scales and offsets so that all outputs stay the same.

    For a network whose normalizations were folded, before it is trained on: training normalizes by statistics of its
    batches, so scales and offsets have to fit them.
    """
    layers = batch_norms(network)
    inputs = keras.Model(network.inputs, [layer.input for layer in layers])
    moments = [[_moments(values) for values in inputs(batch, training=False)] for batch in batches]
    for layer, of_batches in zip(layers, zip(*moments, strict=True), strict=True):
        mean, square = ops.mean(ops.stack(of_batches), axis=0)
        variance = square - mean**2
        scale = layer.gamma / ops.sqrt(layer.moving_variance + layer.epsilon)
        beta = layer.beta + scale * (mean - layer.moving_mean)
        layer.set_weights([scale * ops.sqrt(variance + layer.epsilon), beta, mean, variance])


def _moments(values: Any) -> Any:
    """Return the means of the channels and of their squares, [2, C]."""
    rows = ops.reshape(values, (-1, values.shape[-1]))
    return ops.stack([ops.mean(rows, 0), ops.mean(rows**2, 0)])


def batch_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Return the layers of batch normalization in a model and in the models that it contains."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
