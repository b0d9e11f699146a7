"""Data-parallel training on several accelerators."""

import logging
from typing import Final

import keras

from .errors import ConfigError

_LOG: Final = logging.getLogger(__name__)


def use_all_devices(batch: int) -> None:
    """Distribute each batch over all devices. Call it before you build the model.

    Keras 3 distributes on JAX only. TensorFlow accepts a distribution and ignores it, so there one device is used
    and a warning is logged. On PyTorch, Keras cannot list the devices; the first is used.

    Raises:
        ConfigError: The number of devices does not divide `batch`.
    """
    if keras.backend.backend() == "torch":
        return
    devices = keras.distribution.list_devices()
    if len(devices) < 2:
        return
    if keras.backend.backend() != "jax":
        _LOG.warning("using 1 of %d devices: Keras distributes only with KERAS_BACKEND=jax", len(devices))
        return
    if batch % len(devices):
        raise ConfigError(f"expected a batch size divisible by {len(devices)} devices, got {batch}")
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
