"""More than one accelerator: each works on a share of every batch, where Keras can do that."""

import logging
from typing import Final

import keras

from ..gender.config import ConfigError

_LOG: Final = logging.getLogger(__name__)


def use_all_devices(batch: int) -> None:
    """Distribute what is built from now on over all devices; call before the model is built.

    Keras 3 does so on JAX alone. With TensorFlow it would accept a distribution and ignore it: one device is used,
    and a warning says so.

    Raises:
        ConfigError: `batch` cannot be shared out equally.
    """
    devices = keras.distribution.list_devices()
    if len(devices) < 2:
        return
    if keras.backend.backend() != "jax":
        _LOG.warning("%d devices, of which one is used: Keras distributes on KERAS_BACKEND=jax alone", len(devices))
        return
    if batch % len(devices):
        raise ConfigError(f"a batch of {batch} cannot be shared out equally among {len(devices)} devices")
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
