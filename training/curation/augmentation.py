"""Random views of a labeled picture: flip, resized crop, distorted color, erased rectangle.

Unlike those of `training.pretrain.augment`, they do not blur: whether a picture is blurred is an attribute. Each is one
operation on the whole batch, because augmentation takes as long as a small network.
"""

import math
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ..arrays import Shape, TensorB, TensorB2, TensorBHWC, TensorBK

# Area of a crop as a share of the picture, and its aspect.
_CROP_AREA, _CROP_ASPECT = (0.5, 1.0), (3 / 4, 4 / 3)
# As in SSD: ±32 of 255 levels, contrast and saturation a half to one and a half times, ±18 degrees of hue.
_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE = 32.0, (0.5, 1.5), (0.5, 1.5), math.radians(18)
# Zhong et al., 2017 (https://arxiv.org/abs/1708.04896).
_ERASED_AREA, _ERASED_ASPECT = (0.02, 0.33), (0.3, 3.3)
# A larger rectangle may hide what makes a picture positive.
_ERASED_AREA_OF_POSITIVES: Final = 0.15


class RandomLayer(keras.layers.Layer):
    """A layer that changes pictures at random in training only.

    Args:
        seed: Seed of the changes.
    """

    def __init__(self, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.random = keras.random.SeedGenerator(seed)

    def uniform(self, shape: tuple[Any, ...], low: float = 0.0, high: float = 1.0) -> Any:
        return keras.random.uniform(shape, low, high, seed=self.random)

    def log_uniform(self, count: Any, ends: tuple[float, float]) -> TensorB:
        return ops.exp(self.uniform((count,), math.log(ends[0]), math.log(ends[1])))


class RandomCrop(RandomLayer):
    """Cut a random window of each picture, resize it to the picture's side, and mirror half of them.

    Args:
        seed: Seed of the windows.
        shift: Without it, windows have the area and the aspect of a resized crop. With it, they have the picture's size
            and leave it by up to this share of the side, where the picture is reflected.
    """

    def __init__(self, seed: int, shift: float | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.shift = shift

    def call(self, pictures: TensorBHWC, training: bool | None = None) -> TensorBHWC:
        if not training:
            return pictures
        count, last = ops.shape(pictures)[0], pictures.shape[1] - 1
        sides, first = self._windows(count)
        first = first * (last + 1)
        mirrored = self.uniform((count,)) < 0.5
        width = ops.where(mirrored, -sides[1], sides[1])
        left = ops.where(mirrored, first[1] + sides[1] * last, first[1])
        nothing = ops.zeros_like(width)
        # From places of the result to places of the picture.
        transforms = ops.stack([width, nothing, left, nothing, sides[0], first[0], nothing, nothing], axis=1)
        return ops.image.affine_transform(pictures, transforms, fill_mode="reflect", data_format="channels_last")

    def _windows(self, count: Any) -> tuple[TensorB2, TensorB2]:
        """Return the sides and the first rows and columns of the windows, `[2, B]` each, as shares of the side."""
        if self.shift is not None:
            return ops.ones((2, count)), self.uniform((2, count), -self.shift, self.shift)
        area, aspect = self.uniform((count,), *_CROP_AREA), self.log_uniform(count, _CROP_ASPECT)
        sides = ops.minimum(ops.stack([ops.sqrt(area / aspect), ops.sqrt(area * aspect)]), 1.0)
        return sides, self.uniform((2, count)) * (1 - sides)


class RandomDistortion(RandomLayer):
    """Change brightness, contrast, saturation and hue of each picture."""

    def call(self, pictures: TensorBHWC, training: bool | None = None) -> TensorBHWC:
        if not training:
            return pictures
        count = ops.shape(pictures)[0]
        mean = ops.mean(pictures, axis=(1, 2, 3), keepdims=True)
        contrast = self.uniform((count, 1, 1), *_CONTRAST)
        distorted = ops.einsum("bijc,bcd->bijd", pictures - mean, contrast * self._matrices(count))
        return ops.clip(mean + self.uniform((count, 1, 1, 1), -_BRIGHTNESS, _BRIGHTNESS) + distorted, 0.0, 255.0)

    def _matrices(self, count: Any) -> Any:
        """Return matrices `[B, 3, 3]` for row vectors that turn hues and scale saturations around gray."""
        saturation = self.uniform((count, 1, 1), *_SATURATION)
        angle = self.uniform((count, 1, 1), -_HUE, _HUE)
        gray = np.full((3, 3), 1 / 3, np.float32)
        # A rotation around the gray axis (Rodrigues).
        turn = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32) / math.sqrt(3)
        return gray + saturation * (ops.cos(angle) * (np.eye(3, dtype=np.float32) - gray) + ops.sin(angle) * turn)


class RandomErasing(RandomLayer):
    """Fill a random rectangle of some pictures with random values.

    Call it with `[pictures [B, S, S, 3] in 0..255, labels [B, T]]`. A picture with a positive label loses at most
    `_ERASED_AREA_OF_POSITIVES`. Outside of training, pictures are unchanged.

    Args:
        seed: Seed of the rectangles.
        probability: Share of the pictures that lose a rectangle.
    """

    def __init__(self, seed: int, probability: float = 0.5, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.probability = probability

    def call(self, inputs: list[Any], training: bool | None = None) -> TensorBHWC:
        pictures, labels = inputs
        if not training:
            return pictures
        erased = self._rectangles(pictures, labels)
        noise = self.uniform(ops.shape(pictures), 0.0, 255.0)
        return ops.where(erased[..., None], noise, pictures)

    def _rectangles(self, pictures: TensorBHWC, labels: TensorBK) -> Any:
        """Return which places are erased, `[B, S, S]`."""
        count, size = ops.shape(pictures)[0], pictures.shape[1]
        chosen = self.uniform((count,)) < self.probability
        sides = ops.where(chosen, self._sides(count, labels), 0.0)
        first = self.uniform((2, count)) * (1 - ops.minimum(sides, 1.0))
        places = (ops.arange(size, dtype="float32") + 0.5) / size
        inside = ops.logical_and(places >= first[..., None], places < (first + sides)[..., None])
        return ops.logical_and(inside[0][:, :, None], inside[1][:, None, :])

    def _sides(self, count: Any, labels: TensorBK) -> TensorB2:
        """Return height and width of the rectangles, `[2, B]`, as shares of the side."""
        smallest, largest = _ERASED_AREA
        positive = ops.any(labels == 1, axis=1)
        largest = ops.where(positive, _ERASED_AREA_OF_POSITIVES, largest)
        area = smallest + (largest - smallest) * self.uniform((count,))
        aspect = self.log_uniform(count, _ERASED_ASPECT)
        return ops.stack([ops.sqrt(area * aspect), ops.sqrt(area / aspect)])

    def compute_output_shape(self, shapes: list[Shape]) -> Shape:
        return shapes[0]


def weak_view(pictures: TensorBHWC, seed: int) -> TensorBHWC:
    """Return pictures shifted by up to an eighth of the side and mirrored: FixMatch's weak augmentation."""
    return RandomCrop(seed, shift=0.125)(pictures)


def strong_view(pictures: TensorBHWC, labels: TensorBK, seed: int) -> TensorBHWC:
    """Return a random view of pictures `[B, S, S, 3]` in 0..255 with labels `[B, T]`."""
    return RandomErasing(seed + 2)([RandomDistortion(seed + 1)(RandomCrop(seed)(pictures)), labels])
