"""A small residual network for small pictures, whose stages are taps for the prediction of losses.

Basic blocks of He et al., 2015 (https://arxiv.org/abs/1512.03385), with attention inside each block.
"""

from dataclasses import dataclass
from typing import Any, Final

import keras

from ..engine.batch_norm import SHORT_TRAINING_MOMENTUM
from ..layers import CBAM

# Channels of each stage, in widths, and its stride; the stem halves the side once.
_STAGES: Final = ((1, 1), (2, 2), (4, 2), (4, 1))
TAPS: Final = tuple(f"tap_{number + 1}" for number in range(len(_STAGES)))
# CBAM's 16 would leave one hidden unit in the first stage.
_CBAM_RATIO: Final = 8


@dataclass(frozen=True)
class Trunk:
    """The size of a network.

    Args:
        size: S, the side of the pictures in pixels.
        width: Channels of the first stage.
        blocks: Residual blocks of each stage.
        cbam: Whether each block has attention after its last normalization, before the addition, as in the authors'
            code of CBAM.
    """

    size: int = 64
    width: int = 16
    blocks: int = 1
    cbam: bool = False


def build_trunk(trunk: Trunk) -> keras.Model:
    """Build the network from pictures `[B, S, S, 3]` in 0..255 to feature maps `[B, S/8, S/8, 4·width]`.

    The layers named `TAPS` end the stages, at S/2, S/4, S/8 and S/8.
    """
    pictures = keras.Input((trunk.size, trunk.size, 3), name="pictures")
    scaled = keras.layers.Rescaling(1 / 127.5, -1, name="scaling")(pictures)
    x = keras.layers.ReLU(name="stem_relu")(_convolution(scaled, trunk.width, 2, "stem"))
    for tap, (widths, stride) in zip(TAPS, _STAGES, strict=True):
        for block in range(trunk.blocks):
            last = block == trunk.blocks - 1
            name = tap if last else f"{tap}_block_{block + 1}"
            x = _block(x, widths * trunk.width, stride if block == 0 else 1, trunk.cbam, name)
    return keras.Model(pictures, x, name="trunk")


def _block(x: Any, channels: int, stride: int, cbam: bool, name: str) -> Any:
    hidden = keras.layers.ReLU(name=f"{name}_relu")(_convolution(x, channels, stride, f"{name}_first"))
    hidden = _convolution(hidden, channels, 1, f"{name}_second")
    if cbam:
        hidden = CBAM(_CBAM_RATIO, name=f"{name}_cbam")(hidden)
    if stride > 1 or x.shape[-1] != channels:
        x = _convolution(x, channels, stride, f"{name}_shortcut", kernel=1)
    return keras.layers.ReLU(name=name)(keras.layers.Add(name=f"{name}_add")([x, hidden]))


def _convolution(x: Any, channels: int, stride: int, name: str, kernel: int = 3) -> Any:
    x = keras.layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=name)(x)
    return keras.layers.BatchNormalization(momentum=SHORT_TRAINING_MOMENTUM, name=f"{name}_norm")(x)
