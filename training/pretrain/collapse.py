"""Detect that an encoder maps all pictures to one point."""

from typing import Any, Final

import keras
import numpy as np
from sklearn.preprocessing import normalize

from ..arrays import FloatsND, ImagesNSS3

# Share of the spread of uniform directions below which an embedding has collapsed.
_MIN_SPREAD: Final = 0.05
# Relative distance of the loss from that of one point.
_AT_CHANCE: Final = 0.01


class CollapseError(RuntimeError):
    """The embedding has collapsed; the message says what to change."""


def spread(embeddings: FloatsND) -> float:
    """Return √D times the standard deviation of the unit vectors, averaged over dimensions.

    It is 1 if all directions occur equally, and 0 for a single point.
    """
    unit = normalize(embeddings.astype(np.float64))
    return float(unit.std(axis=0).mean() * np.sqrt(unit.shape[1]))


class CollapseGuard(keras.callbacks.Callback):
    """Logs the `spread` of held-out pictures after each epoch, and ends a collapsed run.

    Raises:
        CollapseError: After `patience` epochs, the spread or the loss is that of a single point.
    """

    def __init__(self, encoder: keras.Model, pixels: ImagesNSS3, chance_loss: float, patience: int = 3) -> None:
        super().__init__()
        self._encoder, self._pixels, self._chance, self._patience = encoder, pixels, chance_loss, patience

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        logs["spread"] = spread(embed(self._encoder, self._pixels))
        if epoch + 1 < self._patience:
            return
        if logs["spread"] < _MIN_SPREAD or abs(logs["loss"] - self._chance) < _AT_CHANCE * self._chance:
            raise CollapseError(
                f"collapsed after {epoch + 1} epochs: loss {logs['loss']:.3f} ({self._chance:.3f} for a single point), "
                f"spread {logs['spread']:.3f} (1 for uniform directions); lower the learning rate, or for SwAV lower "
                "epsilon or freeze the prototypes longer"
            )


def embed(encoder: keras.Model, pixels: ImagesNSS3, batch: int = 256) -> FloatsND:
    """Return the embeddings `[N, D]` of pictures; those of the pictures alone for a dual encoder."""
    if len(encoder.inputs) > 1:
        encoder = keras.Model(encoder.inputs[0], encoder.outputs[0])
    parts = [
        keras.ops.convert_to_numpy(encoder(pixels[start : start + batch].astype(np.float32), training=False))
        for start in range(0, len(pixels), batch)
    ]
    return np.concatenate(parts)
