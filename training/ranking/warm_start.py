"""Start from yesterday's model: from all of it, or from all but the id embeddings.

In Ge et al., 2017, a partial warm start helps and a full one harms: embeddings of ids overfit to the past.
"""

from typing import Final

import keras

from ..arrays import Arrays
from ..engine.errors import ConfigError

_IDS: Final = "id_embedding"


def weights_of(model: keras.Model) -> Arrays:
    """Return the learned weights by their number; names of layers differ between processes."""
    return {str(number): keras.ops.convert_to_numpy(each) for number, each in enumerate(model.trainable_weights)}


def set_weights(model: keras.Model, weights: Arrays, with_ids: bool) -> None:
    """Set the learned weights of a model; without ids, those of the id embeddings stay as they are.

    Raises:
        ConfigError: A weight is missing or has another shape.
    """
    for number, weight in enumerate(model.trainable_weights):
        if _IDS in weight.path and not with_ids:
            continue
        value = weights.get(str(number))
        if value is None or value.shape != tuple(weight.shape):
            found = "none" if value is None else value.shape
            raise ConfigError(f"warm start: expected {weight.path} of shape {tuple(weight.shape)}, got {found}")
        weight.assign(value)
