"""Random views of a picture: drawn in each step, or chosen from a few whose maps are computed once.

Computed maps are `[N, V, H, W, C]`: of the picture itself, then of weak views, then of strong ones.
"""

from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ..arrays import FloatsNHWC, FloatsNVHWC, ImagesNSS3, Shape, TensorBHWC, TensorBK
from .augmentation import RandomLayer, strong_view, weak_view

# Pictures uint8 [N, S, S, 3], or maps of their views, float16 [N, V, H, W, C].
Views = ImagesNSS3 | FloatsNVHWC
# Pictures uint8 [N, S, S, 3], or their maps, float16 [N, H, W, C].
Plain = ImagesNSS3 | FloatsNHWC
WEAK, STRONG = 2, 8
_AT_ONCE: Final = 256


def compute_views(frozen: keras.Model, pictures: ImagesNSS3, seed: int) -> FloatsNVHWC:
    """Return what a frozen network computes of pictures and of random views of them, float16 `[N, V, H, W, C]`.

    Erased rectangles are as small as those of positives, because most labels come later.
    """
    weak, strong = (_augmentation(pictures.shape[1], seed + offset, offset > 0) for offset in (0, 10))
    parts = np.split(pictures, range(_AT_ONCE, len(pictures), _AT_ONCE))
    augmentations = [*[weak] * WEAK, *[strong] * STRONG]

    def maps(part: ImagesNSS3) -> FloatsNVHWC:
        seen = [part, *(each(part, training=True) for each in augmentations)]
        return np.stack([_maps(frozen, each) for each in seen], axis=1)

    return np.concatenate([maps(part) for part in parts])


def compute_maps(frozen: keras.Model, pictures: ImagesNSS3) -> FloatsNHWC:
    """Return what a frozen network computes of pictures, float16 `[N, H, W, C]`."""
    parts = np.split(pictures, range(_AT_ONCE, len(pictures), _AT_ONCE))
    return np.concatenate([_maps(frozen, part) for part in parts])


def plain(views: Views) -> Plain:
    """Return pictures, or maps of pictures, without their random views."""
    return views[:, 0] if views.ndim == 5 else views


def strong(views: keras.KerasTensor, labels: TensorBK, seed: int) -> keras.KerasTensor:
    """Return a strong view of each picture of a batch with labels `[B, T]`."""
    if len(views.shape) == 5:
        return RandomView(1 + WEAK, STRONG, seed)(views)
    return strong_view(ops.cast(views, "float32"), labels, seed)


def weak(views: keras.KerasTensor, seed: int) -> keras.KerasTensor:
    """Return a weak view of each picture of a batch."""
    if len(views.shape) == 5:
        return RandomView(1, WEAK, seed)(views)
    return weak_view(ops.cast(views, "float32"), seed)


class RandomView(RandomLayer):
    """Choose one of the views of each picture, from `[B, V, H, W, C]` to `[B, H, W, C]`; the first outside of training.

    Args:
        first: The first view to choose from.
        count: How many there are to choose from.
        seed: Seed of the choices.
    """

    def __init__(self, first: int, count: int, seed: int, **kwargs: Any) -> None:
        super().__init__(seed, autocast=False, **kwargs)
        self.first, self.count = first, count

    def call(self, views: Any, training: bool | None = None) -> TensorBHWC:
        if not training:
            return ops.cast(views[:, 0], "float32")
        pictures, total = ops.shape(views)[0], views.shape[1]
        chosen = keras.random.randint((pictures,), self.first, self.first + self.count, seed=self.random)
        rows = ops.arange(pictures, dtype="int32") * total + chosen
        flat = ops.reshape(views, (-1, *views.shape[2:]))
        return ops.cast(ops.take(flat, rows, axis=0), "float32")

    def compute_output_shape(self, shape: Shape) -> Shape:
        return (shape[0], *shape[2:])


def _augmentation(size: int, seed: int, strongly: bool) -> keras.Model:
    pictures = keras.Input((size, size, 3), dtype="uint8")
    pixels = ops.cast(pictures, "float32")
    positive = ops.ones_like(pixels[:, 0, 0, :1])
    return keras.Model(pictures, strong_view(pixels, positive, seed) if strongly else weak_view(pixels, seed))


def _maps(frozen: keras.Model, pictures: Any) -> FloatsNHWC:
    maps: FloatsNHWC = ops.convert_to_numpy(frozen.predict_on_batch(ops.cast(pictures, "float32"))).astype(np.float16)
    return maps
