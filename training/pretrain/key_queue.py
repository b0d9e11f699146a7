"""The queue of MoCo: keys of earlier pictures, which are the negatives of the next ones."""

import keras
from keras import ops

from ..arrays import TensorBD


class KeyQueue(keras.layers.Layer):
    """The newest keys, unit vectors `[K, D]`; at first random ones.

    Args:
        rows: K, a multiple of every batch that is pushed.
        size: D.
        seed: Seed of the first keys.
    """

    def __init__(self, rows: int, size: int, seed: int = 0) -> None:
        super().__init__(name="queue")
        self.built = True
        first = keras.random.normal((rows, size), seed=seed)
        self.keys = self.add_weight(shape=(rows, size), initializer="zeros", trainable=False, name="keys")
        self.keys.assign(ops.normalize(first, axis=1))
        self.pointer = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="pointer")

    def push(self, keys: TensorBD) -> None:
        """Replace the oldest keys by new ones `[B, D]`."""
        self.keys.assign(ops.slice_update(self.keys.value, (self.pointer.value, 0), keys))
        self.pointer.assign((self.pointer + ops.shape(keys)[0]) % self.keys.shape[0])
