"""Load ImageNet weights into an image trunk."""

from pathlib import Path

import keras

from ..data.tables import read_arrays
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
        ManifestError: It is no npz file.
        ConfigError: An entry is missing, or of another shape.
    """
    network = next(layer for layer in trunk.layers if isinstance(layer, keras.Model))
    pretrained = [layer for layer in network.layers if layer.weights and not isinstance(layer, CBAM)]
    entries = read_arrays(file)
    for layer in pretrained:
        for weight in layer.weights:
            key = f"{layer.name}/{weight.name.split('/')[-1]}"
            if key not in entries:
                raise ConfigError(f"{file}: expected an entry {key!r}; use the weights of this backbone")
            if entries[key].shape != tuple(weight.shape):
                raise ConfigError(
                    f"{file}: expected {key!r} of shape {list(weight.shape)}, got {list(entries[key].shape)}; use the "
                    "weights of this backbone"
                )
            weight.assign(entries[key])
    lower_batch_norm_momentum(trunk)
    return pretrained
