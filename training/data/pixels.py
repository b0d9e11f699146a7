"""Operations on a batch of images as floating point tensors [B, S, S, 3], by parameters per image."""

from functools import lru_cache

import numpy as np
from keras import ops
from numpy.typing import NDArray

from ..arrays import BoolsN, FloatsN, TensorBSS3


def place(
    images: TensorBSS3,
    scale: FloatsN,
    angle: FloatsN,
    mirror: FloatsN,
    shift: FloatsN,
    background: TensorBSS3,
    repeats_edge: BoolsN,
) -> TensorBSS3:
    """Draw each image rotated, scaled and shifted on a background, with bilinear interpolation.

    Args:
        images: [B, S, S, 3].
        scale: [B], the size on the canvas; 1 fills it.
        angle: [B], in radians.
        mirror: [B], -1 mirrors left and right, 1 does not.
        shift: [2, B], right and down, in half sides.
        background: [B, S, S, 3] or [B, 1, 1, 3].
        repeats_edge: [B], whether the edge pixels are repeated instead of the background.
    """
    count, size = images.shape[:2]
    # Smaller images are smoothed first; sampling alone would alias.
    images = blur(images, np.minimum(1, scale) * size)
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    # From places on the canvas, within [-1, 1], to places in the image.
    matrix = np.stack([np.stack([mirror * cos, mirror * sin]), np.stack([-sin, cos])])
    offset = -np.einsum("ijb,jb->ib", matrix, shift)
    axis = (np.arange(size) * 2 + 1) / size - 1
    canvas = np.stack([*np.meshgrid(axis, axis), np.ones((size, size))]).reshape(3, -1)
    to_image = np.concatenate([matrix, offset[:, None]], axis=1).astype(np.float32)
    x, y = (ops.matmul(to_image[row].T, canvas.astype(np.float32)) for row in range(2))
    drawn = _sample(images, (x + 1) * size / 2 - 0.5, (y + 1) * size / 2 - 0.5)
    inside = ops.logical_and(ops.abs(x) <= 1, ops.abs(y) <= 1)
    inside = ops.logical_or(inside, repeats_edge[:, None])
    return ops.where(ops.reshape(inside, (count, size, size, 1)), drawn, background)


def blur(images: TensorBSS3, pixels: FloatsN) -> TensorBSS3:
    """Shrink each image to so many pixels, and enlarge it again."""
    size = images.shape[1]
    targets = np.clip(np.round(pixels), 1, size).astype(int)
    if (targets == size).all():
        return images
    filters = ops.take(_filters(size), targets - 1, axis=0)
    return ops.einsum("bij,bjkc,blk->bilc", filters, images, filters)


def recolor(images: TensorBSS3, matrices: NDArray[np.float32]) -> TensorBSS3:
    """Multiply each pixel, a row vector, by its image's matrix, [B, 3, 3]."""
    return ops.einsum("bijc,bcd->bijd", images, ops.convert_to_tensor(matrices))


def erase(images: TensorBSS3, centers: FloatsN, sides: FloatsN, colors: FloatsN) -> TensorBSS3:
    """Fill a rectangle of each image with a color.

    Args:
        images: [B, S, S, 3].
        centers: [2, B], from the top and from the left, as shares of S.
        sides: [2, B], height and width, as shares of S; 0 erases nothing.
        colors: [B, 3].
    """
    places = (np.arange(images.shape[1]) + 0.5) / images.shape[1]
    rows, columns = 2 * np.abs(places - centers[..., None]) < sides[..., None]
    erased = (rows[:, :, None] & columns[:, None, :])[..., None]
    return ops.where(erased, colors.astype(np.float32)[:, None, None, :], images)


def _sample(images: TensorBSS3, x: TensorBSS3, y: TensorBSS3) -> TensorBSS3:
    """Interpolate at the places [B, S·S], in pixels, of each image; beyond the edge, the edge is repeated."""
    count, size = images.shape[:2]
    x, y = ops.clip(x, 0, size - 1), ops.clip(y, 0, size - 1)
    left, top = (ops.clip(ops.floor(each), 0, size - 2) for each in (x, y))
    dx, dy = (ops.expand_dims(each, -1) for each in (x - left, y - top))
    image = ops.convert_to_tensor(np.arange(count, dtype=np.int32)[:, None] * size**2)
    first = image + ops.cast(top, "int32") * size + ops.cast(left, "int32")
    flat = ops.reshape(images, (count * size**2, 3))
    corners = [ops.take(flat, first + step, axis=0) for step in (0, 1, size, size + 1)]
    upper, lower = (one * (1 - dx) + other * dx for one, other in (corners[:2], corners[2:]))
    return ops.reshape(upper * (1 - dy) + lower * dy, (count, size, size, 3))


@lru_cache
def _filters(size: int) -> TensorBSS3:
    """Return matrices [S, S, S] that shrink S pixels to 1, 2, …, S with a triangle filter, and enlarge them again."""
    places = np.arange(size) + 0.5
    matrices = np.empty((size, size, size), np.float32)
    for pixels in range(1, size + 1):
        centers = (np.arange(pixels) + 0.5) * size / pixels
        shrink = _triangles(centers[:, None] - places, size / pixels)
        # Beyond the outer centers, their pixels are repeated.
        between = np.clip(places, centers[0], centers[-1])
        enlarge = _triangles(between[:, None] - centers, size / pixels)
        matrices[pixels - 1] = enlarge @ shrink
    return ops.convert_to_tensor(matrices)


def _triangles(distances: FloatsN, width: float) -> FloatsN:
    """Return rows of weights that fall from 1 at distance 0 to 0 at `width`, scaled to the sum 1."""
    weights = np.maximum(0, 1 - np.abs(distances) / width)
    scaled: FloatsN = weights / weights.sum(axis=1, keepdims=True)
    return scaled
