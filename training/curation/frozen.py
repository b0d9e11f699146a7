"""MobileNetV2 from ImageNet in two parts: the first blocks are frozen, the upper ones are trained.

What frozen blocks compute of a picture never changes, so it is computed once. The first blocks work on the largest maps
and take most of the time of a small picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
from keras import ops
from numpy.typing import NDArray

from ..engine.batch_norm import lower_batch_norm_momentum
from ..layers import CBAM
from .network import TAPS
from .pretrained import build_mobilenet, pretrained_trunk

# The last frozen layer, at an eighth of the side, with 32 channels.
_CUT: Final = "block_5_add"
_TAPPED: Final = ("block_7_add", "block_9_add", "block_12_add", "block_13_expand_relu")
_CBAM_RATIO: Final = 16

Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class UpperBlocks:
    """The trained part of a network.

    Args:
        size: S, the side of the pictures in pixels.
        last: Number of the block, up to 13, whose expansion ends the network.
        cbam: Whether each block has attention after its last normalization, before the addition.
    """

    size: int = 64
    last: int = 13
    cbam: bool = False


def build_upper_blocks(blocks: UpperBlocks) -> keras.Model:
    """Build the trained part with random weights, from maps of the frozen one to maps `[B, S/16, S/16, C]`.

    The layers named `TAPS` are outputs of blocks 7, 9 and 12, and the end, as far as the network has them.
    """
    network = _mobilenet(build_mobilenet(blocks.size))
    end = network.get_layer(f"block_{blocks.last}_expand_relu").output
    taps = dict(zip(_TAPPED, TAPS, strict=True))

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        maps = layer(*args, **kwargs)
        if blocks.cbam and layer.name.endswith("_project_BN"):
            maps = CBAM(_CBAM_RATIO, name=f"{layer.name}_cbam")(maps)
        return keras.layers.Identity(name=taps[layer.name])(maps) if layer.name in taps else maps

    upper = keras.models.clone_model(keras.Model(network.get_layer(_CUT).output, end), call_function=call)
    lower_batch_norm_momentum(upper)
    return upper


def split_pretrained(weights: Path, size: int) -> tuple[keras.Model, Weights]:
    """Return the frozen part, from pictures `[B, S, S, 3]` in 0..255 to maps `[B, S/8, S/8, 32]`, and upper weights.

    Args:
        weights: ImageNet weights of width 1, an npz as `load_imagenet` reads it.
        size: S, in pixels.

    Returns:
        The network, and the ImageNet weights of the trained part by path.

    Raises:
        FileNotFoundError: The weights do not exist.
        ConfigError: An entry is missing.
    """
    trunk = pretrained_trunk(weights, size)
    network = _mobilenet(trunk)
    cut = network.get_layer(_CUT).output
    frozen = keras.Model(network.input, cut, name="frozen")
    upper = keras.Model(cut, network.output)
    scaled = trunk.get_layer("scaling")(trunk.input)
    return keras.Model(trunk.input, frozen(scaled)), {each.path: ops.convert_to_numpy(each) for each in upper.weights}


def _mobilenet(trunk: keras.Model) -> keras.Model:
    return trunk.get_layer("mobilenetv2")
