"""Load ImageNet weights into an image trunk."""

from pathlib import Path

import keras
import numpy as np

from ..layers import CBAM
from .batch_norm import lower_batch_norm_momentum
from .errors import ConfigError


def load_imagenet(trunk: keras.Model, file: Path) -> list[keras.layers.Layer]:
    """Load the weights of the network inside a trunk from an npz.

    Its entries are `<layer>/<weight>`, as Keras names them.

    Returns:
        The loaded layers: all that have weights, except CBAM, which is not pretrained.

    Raises:
        FileNotFoundError: The file does not exist.
        ConfigError: An entry is missing.
    """
    network = next(layer for layer in trunk.layers if isinstance(layer, keras.Model))
    pretrained = [layer for layer in network.layers if layer.weights and not isinstance(layer, CBAM)]
    with np.load(file) as entries:
        for layer in pretrained:
            keys = [f"{layer.name}/{weight.name.split('/')[-1]}" for weight in layer.weights]
            if missing := [key for key in keys if key not in entries]:
                raise ConfigError(f"{file}: expected an entry {missing[0]!r}; use the weights of this backbone")
            layer.set_weights([entries[key] for key in keys])
    lower_batch_norm_momentum(trunk)
    return pretrained
