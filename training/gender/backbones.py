"""Image trunks by name, each with the normalisation that its ImageNet weights expect."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from genderprep.tensors import IMAGE_SIZE

from ..layers import CBAM
from .config import ConfigError

FINE_TUNING_MOMENTUM: Final = 0.9

# The outputs of DenseNet121's dense blocks, which CBAM follows.
DENSE_BLOCKS: Final = ("conv2_block6_concat", "conv3_block12_concat", "conv4_block24_concat", "conv5_block16_concat")

# DenseNet121 was trained on ImageNet's mean and deviation, MobileNetV2 on [-1, 1].
_SCALES: Final = {
    "densenet121": (
        1 / (255 * np.array([0.229, 0.224, 0.225])),
        -np.array([0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    ),
    "mobilenetv2": (np.full(3, 1 / 127.5), np.full(3, -1.0)),
}
_BUILDERS: Final[dict[str, Callable[..., keras.Model]]] = {
    "densenet121": keras.applications.DenseNet121,
    "mobilenetv2": keras.applications.MobileNetV2,
}


def build_trunk(name: str, size: int = IMAGE_SIZE, cbam: bool = False) -> keras.Model:
    """A trunk without classifier: uint8 [B, S, S, 3] to float [B, C], normalisation included.

    Args:
        name: `densenet121` or `mobilenetv2`.
        size: S, in pixels.
        cbam: with attention (arXiv 1807.06521) after each dense block of DenseNet121.

    Raises:
        ConfigError: unknown name, or CBAM for another trunk than DenseNet121.
    """
    if name not in _BUILDERS:
        raise ConfigError(f"backbone {name!r} is not one of {', '.join(_BUILDERS)}")
    if cbam and name != "densenet121":
        raise ConfigError(f"cbam goes with densenet121, whose dense blocks it follows, not with {name!r}")
    scale, offset = _SCALES[name]
    image = keras.Input((size, size, 3), dtype="uint8", name="pixels")
    normalised = keras.layers.Rescaling(scale.tolist(), offset.tolist())(image)
    network = _BUILDERS[name](include_top=False, weights=None, pooling="avg", input_shape=(size, size, 3))
    trunk = _with_cbam(network) if cbam else network
    return keras.Model(image, trunk(normalised), name="trunk")


def load_imagenet(trunk: keras.Model, file: Path) -> list[keras.layers.Layer]:
    """Fill a trunk from an npz whose entries are named `<layer>/<weight>`, as Keras names them.

    Returns the layers that were filled: all that have weights, but for CBAM, which ImageNet did not train.

    Raises:
        FileNotFoundError: no such file.
        ConfigError: an entry is missing.
    """
    trained = [layer for layer in _network(trunk).layers if layer.weights and not isinstance(layer, CBAM)]
    with np.load(file) as stored:
        for layer in trained:
            layer.set_weights([_entry(stored, file, f"{layer.name}/{w.name.split('/')[-1]}") for w in layer.weights])
    follow_new_data(trunk)
    return trained


def follow_new_data(network: keras.Model) -> None:
    """Let batch normalisation follow new data within tens of steps.

    With the momentum that it was built with (0.999 in MobileNetV2) its statistics would lag behind the weights for all
    of a short fine-tuning.
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = FINE_TUNING_MOMENTUM
        elif isinstance(layer, keras.Model):
            follow_new_data(layer)


def _with_cbam(network: keras.Model) -> keras.Model:
    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        features = layer(*args, **kwargs)
        return CBAM(name=f"{layer.name}_cbam")(features) if layer.name in DENSE_BLOCKS else features

    return keras.models.clone_model(network, call_function=call)


def _network(trunk: keras.Model) -> keras.Model:
    return next(layer for layer in trunk.layers if isinstance(layer, keras.Model))


def _entry(stored: Any, file: Path, key: str) -> Any:
    if key not in stored:
        raise ConfigError(f"{file}: no entry {key!r}; these are weights of another network")
    return stored[key]
