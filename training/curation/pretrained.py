"""A network for small pictures that starts from ImageNet's MobileNetV2.

It ends in the 14th block, at a sixteenth of the side: what makes a picture unsuitable is small, and the last blocks
have only 2 × 2 places for it.
"""

from pathlib import Path
from typing import Final

import keras

from ..engine.imagenet import load_imagenet
from .pictures import SIZE

_LAST: Final = "block_13_expand_relu"


def pretrained_trunk(weights: Path, size: int = SIZE) -> keras.Model:
    """Build the network from pictures `[B, S, S, 3]` in 0..255 to feature maps `[B, S/16, S/16, 576]`.

    Args:
        weights: ImageNet weights of width 1, an npz as `load_imagenet` reads it.
        size: S, in pixels.

    Raises:
        FileNotFoundError: The weights do not exist.
        ConfigError: An entry is missing.
    """
    trunk = build_mobilenet(size)
    load_imagenet(trunk, weights)
    return trunk


def build_mobilenet(size: int = SIZE, width: float = 1.0) -> keras.Model:
    """Build the network with random weights; `width` is the width multiplier of MobileNetV2."""
    pictures = keras.Input((size, size, 3), name="pictures")
    scaled = keras.layers.Rescaling(1 / 127.5, -1, name="scaling")(pictures)
    whole = keras.applications.MobileNetV2(input_shape=(size, size, 3), alpha=width, include_top=False, weights=None)
    network = keras.Model(whole.input, whole.get_layer(_LAST).output, name="mobilenetv2")
    return keras.Model(pictures, network(scaled), name="trunk")
