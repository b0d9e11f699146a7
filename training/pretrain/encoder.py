"""The picture encoder: a small MobileNetV2."""

from pathlib import Path
from typing import Final

import keras

from ..engine.batch_norm import lower_batch_norm_momentum
from ..engine.imagenet import load_imagenet

# Smallest side that MobileNetV2 takes; it halves the side five times.
SMALLEST_SIDE: Final = 32


def build_encoder(width: float = 0.5, size: int | None = None) -> keras.Model:
    """Build the encoder, from pictures, float `[B, S, S, 3]` in 0..255, to features `[B, F]`.

    Args:
        width: Width multiplier of MobileNetV2 (arXiv 1801.04381, section 4), which sets F.
        size: S in pixels; None takes any size, as multi-crop needs.
    """
    pictures = keras.Input((size, size, 3), name="pictures")
    scaled = keras.layers.Rescaling(1 / 127.5, -1)(pictures)
    network = keras.applications.MobileNetV2(
        input_shape=(size, size, 3), alpha=width, include_top=False, weights=None, pooling="avg"
    )
    lower_batch_norm_momentum(network)
    return keras.Model(pictures, network(scaled), name="encoder")


def imagenet_encoder(weights: Path, size: int | None) -> keras.Model:
    """Build the encoder of width 1 with ImageNet weights, as `load_imagenet` reads them.

    Raises:
        FileNotFoundError: The file does not exist.
        ConfigError: An entry is missing.
    """
    encoder = build_encoder(1.0, size)
    load_imagenet(encoder, weights)
    return encoder
