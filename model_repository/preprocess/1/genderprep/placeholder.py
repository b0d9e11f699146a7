"""Recognize the pictures that a platform shows for users without an avatar: plain light gray, or a silhouette on it."""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # [S, S, 3], RGB
Levels = NDArray[np.uint8]  # [S, S]
Mask = NDArray[np.bool_]  # [S, S]

# Gray levels: what counts as light, how far one level spreads under lossy compression, and the same at an edge.
_LIGHT: Final = 128
_SPREAD: Final = 8
_RINGING: Final = 24
# Pixels between two levels: the antialiased outline of a silhouette.
_OUTLINE: Final = 0.08
# How much of the silhouette and of the template has to overlap (intersection over union).
_OVERLAP: Final = 0.7


def is_placeholder(pixels: Pixels) -> bool:
    """Whether a picture is plain light gray or white, or a light head and shoulders on a light ground.

    Line art, lettering and gray portraits have pixels of other levels, or another outline, and are avatars.

    Args:
        pixels: uint8 [S, S, 3].
    """
    # A few pixels already show the color of nearly every picture, which halves the time of a small avatar.
    if _has_color(pixels[::8, ::8]) or _has_color(pixels):
        return False
    levels = pixels[..., 1]
    low, high = int(levels.min()), int(levels.max())
    if low < _LIGHT:
        return False
    return high - low <= 2 * _SPREAD or _is_silhouette(levels)


def _is_silhouette(levels: Levels) -> bool:
    """Whether two flat levels show the template, the one inside of it and the other outside."""
    first, second = _two_levels(levels)
    ground, figure = (abs(levels.astype(np.int16) - level) <= _SPREAD for level in (first, second))
    if 1 - (ground | figure).mean() > _OUTLINE:
        return False
    if levels.min() < min(first, second) - _RINGING or levels.max() > max(first, second) + _RINGING:
        return False
    template = _template(len(levels))
    return any((mask & template).sum() >= _OVERLAP * (mask | template).sum() for mask in (figure, ground))


def _two_levels(levels: Levels) -> tuple[int, int]:
    """The most frequent gray level, and the most frequent one apart from it."""
    counts = np.convolve(np.bincount(levels.ravel(), minlength=256), np.ones(9), mode="same")
    first = int(counts.argmax())
    counts[max(0, first - 2 * _SPREAD) : first + 2 * _SPREAD + 1] = 0
    return first, int(counts.argmax())


@cache
def _template(size: int) -> Mask:
    """A head and shoulders, as platforms draw them: two ellipses on the vertical axis, bool [S, S]."""
    y, x = np.mgrid[0:size, 0:size] / size
    head = ((x - 0.5) / 0.17) ** 2 + ((y - 0.4) / 0.19) ** 2 <= 1
    shoulders = ((x - 0.5) / 0.34) ** 2 + ((y - 0.95) / 0.32) ** 2 <= 1
    return np.asarray(head | shoulders)


def _has_color(pixels: Pixels) -> bool:
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return bool((spread > _SPREAD).any())
