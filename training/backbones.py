"""Image trunks by name, each with the normalisation that its ImageNet weights expect."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from genderprep.contract import IMAGE_SIZE

from .config import ConfigError

_INPUT: Final = (IMAGE_SIZE, IMAGE_SIZE, 3)

FINE_TUNING_MOMENTUM: Final = 0.9

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


def build_trunk(name: str) -> keras.Model:
    """A trunk without classifier: uint8 [B, S, S, 3] to float [B, C], normalisation included.

    Raises:
        ConfigError: unknown name.
    """
    if name not in _BUILDERS:
        raise ConfigError(f"backbone {name!r} is not one of {', '.join(_BUILDERS)}")
    scale, offset = _SCALES[name]
    image = keras.Input(_INPUT, dtype="uint8", name="pixels")
    normalised = keras.layers.Rescaling(scale.tolist(), offset.tolist())(image)
    network = _BUILDERS[name](include_top=False, weights=None, pooling="avg", input_shape=_INPUT)
    return keras.Model(image, network(normalised), name="trunk")


def load_imagenet(trunk: keras.Model, file: Path) -> None:
    """Fill a trunk from an npz whose entries are named `<layer>/<weight>`, as Keras names them.

    Batch normalisation then follows the new data within tens of steps; with the momentum that it was built
    with (0.999 in MobileNetV2) its statistics would lag behind the weights for all of a short fine-tuning.

    Raises:
        FileNotFoundError: no such file.
        ConfigError: an entry is missing.
    """
    with np.load(file) as stored:
        for layer in _network(trunk).layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = FINE_TUNING_MOMENTUM
            if layer.weights:
                layer.set_weights(
                    [_entry(stored, file, f"{layer.name}/{w.name.split('/')[-1]}") for w in layer.weights]
                )


def _network(trunk: keras.Model) -> keras.Model:
    return next(layer for layer in trunk.layers if isinstance(layer, keras.Model))


def _entry(stored: Any, file: Path, key: str) -> Any:
    if key not in stored:
        raise ConfigError(f"{file}: no entry {key!r}; these are weights of another network")
    return stored[key]
