"""Draw still lifes of lit, textured balls: continuous tones, shadows and grain, which flat drawings lack.

They stand in for photographs, which cannot be distributed. A model that tells them from drawings has not seen a photo.
"""

from typing import Final

import numpy as np
from numpy.random import Generator
from PIL import Image

from ..arrays import FloatsC, FloatsNK, FloatsSS3

# Serving reduces all pictures to this side.
_SIDE: Final = 128


def draw_rendering(seed: int) -> Image.Image:
    """Draw one to three balls on a table, RGB, 128 × 128."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:_SIDE, :_SIDE] / _SIDE
    horizon = rng.uniform(0.3, 0.6)
    wall, table = (_textured(rng, _color(rng), contrast) for contrast in (0.1, 0.35))
    scene = np.where((y < horizon)[..., None], wall * (0.7 + 0.4 * x[..., None]), table * (0.6 + 0.5 * y[..., None]))
    sun = _unit(np.array([rng.uniform(-1, 1), rng.uniform(-1.2, -0.4), rng.uniform(0.4, 1)]))
    for _ in range(rng.integers(1, 4)):
        radius = rng.uniform(0.1, 0.24)
        cx, cy = rng.uniform(0.2, 0.8), rng.uniform(horizon, 0.85)
        dx, dy = (x - cx) / radius, (y - cy) / radius
        shadow = np.exp(-((dx + 1.2 * sun[0]) ** 2 / 2 + (dy - 0.9) ** 2 / 0.15))
        scene *= 1 - 0.65 * shadow[..., None]
        depth = np.sqrt(np.clip(1 - dx**2 - dy**2, 0, 1))
        light = np.clip(dx * sun[0] + dy * sun[1] + depth * sun[2], 0, 1)
        ball = _textured(rng, _color(rng), 0.3) * (0.25 + 0.85 * light[..., None])
        ball += 150 * light[..., None] ** rng.integers(12, 60)
        scene = np.where((dx**2 + dy**2 < 1)[..., None], ball, scene)
    vignette = 1 - 0.5 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    grain = rng.normal(0, rng.uniform(2, 7), (_SIDE, _SIDE, 1))
    return Image.fromarray(np.clip(scene * vignette[..., None] + grain, 0, 255).astype(np.uint8))


def _color(rng: Generator) -> FloatsC:
    """A color, seldom a strong one."""
    return rng.uniform(60, 220) + rng.uniform(0.1, 0.8) * rng.uniform(-80, 80, 3)


def _textured(rng: Generator, color: FloatsC, contrast: float) -> FloatsSS3:
    """A surface of one color, uneven at all scales."""
    textured: FloatsSS3 = color * (1 + contrast * _fractal(rng, rng.uniform(0.9, 1.6)))[..., None]
    return textured


def _fractal(rng: Generator, exponent: float) -> FloatsNK:
    """Noise whose amplitude falls with frequency to the power of −`exponent`; mean 0, deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(_SIDE)[:, None], np.fft.rfftfreq(_SIDE))
    frequency[0, 0] = np.inf
    waves = (rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)) / frequency**exponent
    noise = np.fft.irfft2(waves, (_SIDE, _SIDE))
    scaled: FloatsNK = noise / noise.std()
    return scaled


def _unit(vector: FloatsNK) -> FloatsNK:
    unit: FloatsNK = vector / np.linalg.norm(vector)
    return unit
