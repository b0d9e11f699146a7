"""The registry of image trunks, each with the pixel normalization that its ImageNet weights expect.

To add a trunk, add an entry to `BACKBONES`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np

from genderprep.tensors import IMAGE_SIZE

from ..engine.errors import ConfigError
from ..layers import CBAM


@dataclass(frozen=True)
class Backbone:
    """An image classification network.

    Args:
        build: Its function of `keras.applications`.
        mean: Mean of the red, green and blue pixels of its training data, within 0..255.
        std: Their standard deviation.
        blocks: Layers that end a block; CBAM follows each. Without blocks the network has no CBAM variant.
    """

    build: Callable[..., keras.Model]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    blocks: tuple[str, ...] = ()


BACKBONES: Final = {
    "densenet121": Backbone(
        keras.applications.DenseNet121,
        mean=(255 * 0.485, 255 * 0.456, 255 * 0.406),
        std=(255 * 0.229, 255 * 0.224, 255 * 0.225),
        blocks=("conv2_block6_concat", "conv3_block12_concat", "conv4_block24_concat", "conv5_block16_concat"),
    ),
    "mobilenetv2": Backbone(keras.applications.MobileNetV2, mean=(127.5,) * 3, std=(127.5,) * 3),
}


def build_trunk(name: str, size: int = IMAGE_SIZE, cbam: bool = False) -> keras.Model:
    """Build a trunk without classifier, from pixels, uint8 [B, S, S, 3], to features, float [B, C].

    Args:
        name: A name in `BACKBONES`.
        size: S, in pixels.
        cbam: Whether attention (arXiv 1807.06521) follows each block.

    Raises:
        ConfigError: The name is unknown, or CBAM is requested for a trunk without blocks.
    """
    if name not in BACKBONES:
        raise ConfigError(f"expected a backbone of {', '.join(BACKBONES)}, got {name!r}")
    backbone = BACKBONES[name]
    if cbam and not backbone.blocks:
        raise ConfigError(f"{name} has no blocks for cbam to follow; use a backbone that has, such as densenet121")
    pixels = keras.Input((size, size, 3), dtype="uint8", name="pixels")
    scale, offset = 1 / np.array(backbone.std), -np.array(backbone.mean) / backbone.std
    normalized = keras.layers.Rescaling(scale.tolist(), offset.tolist())(pixels)
    network = backbone.build(include_top=False, weights=None, pooling="avg", input_shape=(size, size, 3))
    trunk = _with_cbam(network, backbone.blocks) if cbam else network
    return keras.Model(pixels, trunk(normalized), name="trunk")


def _with_cbam(network: keras.Model, blocks: tuple[str, ...]) -> keras.Model:
    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        features = layer(*args, **kwargs)
        return CBAM(name=f"{layer.name}_cbam")(features) if layer.name in blocks else features

    return keras.models.clone_model(network, call_function=call)
