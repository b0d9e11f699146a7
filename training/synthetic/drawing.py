"""Draw avatars from shapes: portraits with gender cues, and neutral scenes.

They replace photographs that cannot be distributed. Colors do not depend on gender, so only the drawn cues (hair,
beard, lips, jewelry) carry a signal. The frequency of each cue is known for both genders, so the evidence of a
portrait is exact.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from PIL import Image, ImageDraw, ImageFilter

from genderprep.tensors import LABELS

from .pen import CANVAS, Color, Pen
from .strata import Evidence

SKINS: Final[tuple[Color, ...]] = ((255, 224, 196), (241, 194, 155), (224, 172, 125), (172, 118, 79), (110, 72, 48))
HAIRS: Final[tuple[Color, ...]] = ((28, 24, 24), (58, 38, 26), (108, 66, 34), (176, 128, 62), (122, 122, 126))


@dataclass(frozen=True)
class _PortraitPen(Pen):
    """A pen that records the likelihood of each cue."""

    # P(drawn or omitted) of each cue so far, for a man and for a woman.
    cues: list[tuple[float, float]] = field(default_factory=list)

    def cue(self, gender: str, male: float, female: float) -> bool:
        """Choose whether to draw a cue that these shares of men and women show; record its likelihoods."""
        shown = self.chance(female if gender == "female" else male)
        self.cues.append((male, female) if shown else (1 - male, 1 - female))
        return shown


def draw_portrait(gender: str, seed: int) -> Image.Image:
    """Draw head and shoulders with cues of `gender`, RGB, 512 × 512.

    Raises:
        ValueError: `gender` is not a label.
    """
    return draw_portrait_with_evidence(gender, seed)[0]


def draw_portrait_with_evidence(gender: str, seed: int) -> tuple[Image.Image, Evidence]:
    """Draw a portrait; also return the evidence of all its cues."""
    if gender not in LABELS:
        raise ValueError(f"expected gender to be one of {LABELS}, got {gender!r}")
    pen = _canvas(seed)
    skin, hair = pen.rng.choice(SKINS), pen.rng.choice(HAIRS)
    long_hair = pen.cue(gender, 0.06, 0.85)
    if long_hair:
        _long_hair(pen, hair)
    _shoulders(pen, skin, collar=pen.cue(gender, 0.5, 0.1))
    pen.ellipse(0.5, 0.47, 0.208, 0.25, skin)
    if pen.cue(gender, 0.45, 0.0):
        _beard(pen, hair, skin)
    _face(pen, hair, gender)
    _fringe(pen, hair, long_hair)
    if pen.cue(gender, 0.03, 0.45):
        _jewelry(pen)
    male, female = (math.prod(likelihoods) for likelihoods in zip(*pen.cues, strict=True))
    return _soften(pen), Evidence(0, male, female)


def draw_scene(seed: int) -> Image.Image:
    """Draw a scene without a person, RGB, 512 × 512. It carries no gender signal."""
    pen = _canvas(seed)
    scene: Callable[[Pen], None] = pen.rng.choice((_mountains, _sea, _flower, _cat, _tiles))
    scene(pen)
    return _soften(pen)


def draw_default_avatar() -> Image.Image:
    """Draw the gray silhouette that platforms show for users without an avatar, RGB, 512 × 512."""
    image = Image.new("RGB", (CANVAS, CANVAS), (222, 222, 222))
    pen = Pen(image, ImageDraw.Draw(image), Random(0))
    pen.ellipse(0.5, 0.4, 0.17, 0.19, (246, 246, 246))
    pen.ellipse(0.5, 0.95, 0.34, 0.32, (246, 246, 246))
    return image


def _canvas(seed: int) -> _PortraitPen:
    rng = Random(seed)
    top, bottom = ((rng.randint(90, 250), rng.randint(90, 250), rng.randint(90, 250)) for _ in range(2))
    return _PortraitPen.on_gradient(top, bottom, rng)


def _soften(pen: Pen) -> Image.Image:
    """Tilt the image slightly, crop the empty corners and blur it slightly."""
    tilted = pen.image.rotate(pen.rng.uniform(-5, 5), Image.Resampling.BICUBIC)
    margin = 0.045 * CANVAS
    inner = tilted.resize(tilted.size, Image.Resampling.BICUBIC, box=(margin, margin, CANVAS - margin, CANVAS - margin))
    return inner.filter(ImageFilter.GaussianBlur(pen.rng.uniform(0.5, 2.5)))


def _long_hair(pen: Pen, hair: Color) -> None:
    length = pen.rng.uniform(0.7, 0.95)
    pen.ellipse(0.5, 0.42, 0.285, 0.3, hair)
    pen.rectangle(0.22, 0.42, 0.78, length, hair, radius=0.1)


def _shoulders(pen: Pen, skin: Color, collar: bool) -> None:
    cloth = pen.color()
    pen.rectangle(0.43, 0.6, 0.57, 0.85, skin)
    pen.ellipse(0.5, 1.02, 0.36, 0.25, cloth)
    pen.ellipse(0.5, 0.78, 0.08, 0.05, skin)
    if collar:
        pen.polygon([(0.4, 0.78), (0.5, 0.9), (0.36, 0.9)], (248, 248, 248))
        pen.polygon([(0.6, 0.78), (0.5, 0.9), (0.64, 0.9)], (248, 248, 248))
        pen.polygon([(0.475, 0.86), (0.525, 0.86), (0.55, 1.0), (0.45, 1.0)], pen.color(20, 160))


def _beard(pen: Pen, hair: Color, skin: Color) -> None:
    pen.ellipse(0.5, 0.59, 0.18, 0.14, hair)
    pen.ellipse(0.5, 0.5, 0.185, 0.11, skin)


def _face(pen: _PortraitPen, hair: Color, gender: str) -> None:
    lashes, thick = pen.cue(gender, 0.05, 0.75), pen.cue(gender, 0.75, 0.1)
    for x in (0.42, 0.58):
        pen.ellipse(x, 0.46, 0.032, 0.02, (250, 250, 250))
        pen.ellipse(x, 0.46, 0.017, 0.018, (30, 26, 26))
        if lashes:
            pen.arc(x, 0.462, 0.04, 0.03, 185, 355, (20, 16, 16), 0.009)
        pen.arc(x, 0.43, 0.05, 0.025, 200, 340, hair, 0.02 if thick else 0.008)
    pen.arc(0.5, 0.53, 0.02, 0.014, 20, 160, (150, 96, 74), 0.007)
    if pen.cue(gender, 0.04, 0.7):
        lips = (pen.rng.randint(180, 225), pen.rng.randint(20, 70), pen.rng.randint(50, 100))
        pen.ellipse(0.5, 0.612, 0.052, 0.02, lips)
    else:
        pen.arc(0.5, 0.59, 0.06, 0.03, 20, 160, (150, 80, 70), 0.01)


def _fringe(pen: Pen, hair: Color, long_hair: bool) -> None:
    if not long_hair and pen.chance(0.12):
        return
    parting = pen.rng.uniform(0.36, 0.64)
    top, side = (0.2, 0.24) if long_hair else (0.22, 0.225)
    pen.draw.chord([(0.5 - side) * CANVAS, 0.16 * CANVAS, (0.5 + side) * CANVAS, 0.62 * CANVAS], 185, 355, fill=hair)
    pen.polygon([(0.5 - side, 0.4), (parting, top + 0.02), (0.5 - side + 0.03, 0.5)], hair)
    pen.polygon([(0.5 + side, 0.4), (parting, top + 0.02), (0.5 + side - 0.03, 0.5)], hair)


def _jewelry(pen: Pen) -> None:
    if pen.chance(0.5):
        for x in (0.295, 0.705):
            pen.ellipse(x, 0.56, 0.016, 0.024, (240, 205, 90))
    else:
        bow = pen.color(90, 250)
        pen.polygon([(0.62, 0.2), (0.74, 0.12), (0.74, 0.28)], bow)
        pen.polygon([(0.62, 0.2), (0.5, 0.12), (0.5, 0.28)], bow)
        pen.ellipse(0.62, 0.2, 0.03, 0.03, bow)


def _mountains(pen: Pen) -> None:
    pen.ellipse(pen.rng.uniform(0.2, 0.8), 0.25, 0.08, 0.08, (255, 236, 150))
    for base in (0.55, 0.68, 0.8):
        peaks = [(i / 6, base - pen.rng.uniform(0.02, 0.22)) for i in range(7)]
        pen.polygon([(0.0, 1.0), *peaks, (1.0, 1.0)], pen.color(30, 170))


def _sea(pen: Pen) -> None:
    pen.ellipse(0.5, 0.48, 0.13, 0.13, (255, 190, 110))
    pen.rectangle(0, 0.5, 1, 1, (30, pen.rng.randint(90, 150), pen.rng.randint(130, 200)))
    for _ in range(14):
        x, y = pen.rng.random(), pen.rng.uniform(0.53, 0.98)
        pen.rectangle(x, y, x + pen.rng.uniform(0.05, 0.2), y + 0.008, (190, 220, 235))


def _flower(pen: Pen) -> None:
    petal = pen.color(120, 255)
    pen.rectangle(0.49, 0.5, 0.51, 1.0, (60, 130, 60))
    for dx, dy in ((0, -0.15), (0.14, -0.05), (0.09, 0.12), (-0.09, 0.12), (-0.14, -0.05)):
        pen.ellipse(0.5 + dx, 0.42 + dy, 0.105, 0.105, petal)
    pen.ellipse(0.5, 0.42, 0.085, 0.085, (250, 205, 70))


def _cat(pen: Pen) -> None:
    fur = pen.color(60, 210)
    pen.polygon([(0.24, 0.42), (0.28, 0.14), (0.46, 0.3)], fur)
    pen.polygon([(0.76, 0.42), (0.72, 0.14), (0.54, 0.3)], fur)
    pen.ellipse(0.5, 0.53, 0.29, 0.26, fur)
    for x in (0.39, 0.61):
        pen.ellipse(x, 0.49, 0.05, 0.06, (235, 225, 120))
        pen.ellipse(x, 0.49, 0.015, 0.055, (20, 20, 20))
    pen.polygon([(0.47, 0.6), (0.53, 0.6), (0.5, 0.635)], (220, 130, 130))


def _tiles(pen: Pen) -> None:
    side = pen.rng.choice((3, 4, 5))
    palette = [pen.color() for _ in range(4)]
    for row in range(side):
        for column in range(side):
            x, y = column / side, row / side
            pen.rectangle(x, y, x + 1 / side, y + 1 / side, pen.rng.choice(palette))
