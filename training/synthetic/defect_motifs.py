"""Small things drawn on a picture: those that make it unsuitable, and harmless ones that look like them.

Each function draws one family on a transparent pen, around its center. All shapes, proportions and colors come from the
pen's random choices, so one seed is one design.
"""

import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from PIL import Image, ImageDraw

from .pen import CANVAS, Color, Pen

Point = tuple[float, float]
Motif = Callable[[Pen], None]

_INK: Final[Color] = (30, 24, 24)
_WHITE: Final[Color] = (248, 246, 240)


def cutout(motif: Motif, seed: str) -> Image.Image:
    """Draw on a transparent canvas and crop it to what is drawn, RGBA."""
    image = Image.new("RGBA", (CANVAS, CANVAS))
    motif(Pen(image, ImageDraw.Draw(image), Random(seed)))
    return image.crop(image.getbbox())


def _polar(angle: float, radius: float, x: float = 0.5, y: float = 0.5) -> Point:
    return x + radius * math.cos(angle), y + radius * math.sin(angle)


def _angles(count: int, first: float = 0.0) -> Iterator[float]:
    return (first + 2 * math.pi * index / count for index in range(count))


def _wave(pen: Pen, y: float, height: float, turns: float, points: int = 24) -> list[Point]:
    """A wave from left to right."""
    phase = pen.rng.uniform(0, 6)
    steps = (index / (points - 1) for index in range(points))
    return [(0.06 + 0.88 * t, y + height * math.sin(phase + 2 * math.pi * turns * t)) for t in steps]


def _blob(pen: Pen, x: float, y: float, radius: float, fill: Color, roughness: float = 0.35, corners: int = 18) -> None:
    """A round shape with an uneven edge."""
    pen.polygon([_polar(a, radius * pen.rng.uniform(1 - roughness, 1), x, y) for a in _angles(corners)], fill)


def _splashes(pen: Pen, fill: Color) -> None:
    """Small blobs around a large one."""
    for _ in range(pen.rng.randint(4, 14)):
        x, y = _polar(pen.rng.uniform(0, 7), pen.rng.uniform(0.3, 0.46))
        _blob(pen, x, y, pen.rng.uniform(0.01, 0.05), fill, 0.4, 9)


def _brown(pen: Pen) -> Color:
    value = pen.rng.randint(35, 120)
    return (value, int(value * pen.rng.uniform(0.5, 0.8)), int(value * pen.rng.uniform(0.2, 0.5)))


def _blood(pen: Pen) -> Color:
    return (pen.rng.randint(110, 200), pen.rng.randint(5, 45), pen.rng.randint(10, 50))


def _bright(pen: Pen) -> Color:
    strong, weak = pen.rng.randint(200, 255), pen.rng.randint(20, 110)
    red, green, blue = pen.rng.sample((strong, weak, pen.rng.randint(20, 255)), 3)
    return red, green, blue


def _skin(pen: Pen) -> Color:
    value = pen.rng.randint(130, 240)
    return (value, int(value * 0.78), int(value * 0.64))


def _legs(pen: Pen, pairs: int, reach: float, fill: Color, width: float) -> None:
    """Bent legs on both sides of an upright body."""
    for pair in range(pairs):
        y = 0.38 + 0.3 * pair / max(pairs - 1, 1)
        spread = (pair - (pairs - 1) / 2) * pen.rng.uniform(0.06, 0.1)
        for side in (-1, 1):
            knee = (0.5 + side * 0.55 * reach, y + spread - 0.06)
            pen.line([(0.5, y), knee, (0.5 + side * reach, y + 1.8 * spread)], fill, width)


def _cockroach(pen: Pen) -> None:
    shell, wide, long = _brown(pen), pen.rng.uniform(0.11, 0.19), pen.rng.uniform(0.24, 0.34)
    _legs(pen, 3, pen.rng.uniform(0.28, 0.42), shell, 0.022)
    for side in (-1, 1):
        pen.line([(0.5, 0.5 - long), (0.5 + side * pen.rng.uniform(0.06, 0.2), 0.5 - 1.45 * long)], shell, 0.014)
    pen.ellipse(0.5, 0.5, wide, long, shell)
    pen.line([(0.5, 0.5 - 0.5 * long), (0.5, 0.5 + long)], _INK, 0.012)
    pen.ellipse(0.5, 0.5 - 0.75 * long, 0.75 * wide, 0.28 * long, (shell[0] + 30, shell[1] + 20, shell[2]))


def _spider(pen: Pen) -> None:
    body, size = pen.color(10, 80), pen.rng.uniform(0.1, 0.17)
    _legs(pen, 4, pen.rng.uniform(0.35, 0.46), body, pen.rng.uniform(0.012, 0.028))
    pen.ellipse(0.5, 0.56, size, 1.2 * size, body)
    pen.ellipse(0.5, 0.56 - 1.5 * size, 0.6 * size, 0.55 * size, body)
    if pen.chance(0.5):
        _blob(pen, 0.5, 0.58, 0.5 * size, _blood(pen))


def _centipede(pen: Pen) -> None:
    spine = _wave(pen, 0.5, pen.rng.uniform(0.04, 0.16), pen.rng.uniform(0.5, 1.4), pen.rng.randint(12, 22))
    body, legs, reach = _brown(pen), _brown(pen), pen.rng.uniform(0.08, 0.15)
    for x, y in spine:
        pen.line([(x + 0.03, y - reach), (x, y), (x + 0.03, y + reach)], legs, 0.012)
    for x, y in spine:
        pen.ellipse(x, y, 0.035, 0.04, body)


def _worms(pen: Pen) -> None:
    for _ in range(pen.rng.randint(3, 7)):
        pale: Color = (pen.rng.randint(190, 245), pen.rng.randint(150, 215), pen.rng.randint(120, 190))
        points = _wave(pen, pen.rng.uniform(0.2, 0.8), pen.rng.uniform(0.04, 0.13), pen.rng.uniform(0.8, 2.2))
        start = pen.rng.randint(0, 10)
        pen.line(points[start : start + pen.rng.randint(9, 14)], (pale[0] - 70, pale[1] - 80, pale[2] - 80), 0.062)
        pen.line(points[start : start + 14], pale, 0.044)


def _flies(pen: Pen) -> None:
    for _ in range(pen.rng.randint(4, 11)):
        x, y, size = pen.rng.uniform(0.1, 0.9), pen.rng.uniform(0.1, 0.9), pen.rng.uniform(0.03, 0.06)
        for side in (-1, 1):
            pen.ellipse(x + side * size, y - 0.6 * size, 0.9 * size, 0.5 * size, (176, 184, 190))
        pen.ellipse(x, y, 0.7 * size, 1.2 * size, _INK)
        pen.ellipse(x, y - 1.2 * size, 0.5 * size, 0.4 * size, _blood(pen))


def _snake(pen: Pen) -> None:
    skin, mark, width = pen.color(30, 150), pen.color(20, 200), pen.rng.uniform(0.07, 0.12)
    body = _wave(pen, 0.5, pen.rng.uniform(0.16, 0.28), pen.rng.uniform(1, 1.8), 40)
    for x, y in body:
        pen.ellipse(x, y, width / 2, width / 2, skin)
    for x, y in body[::4]:
        pen.ellipse(x, y, width / 5, width / 4, mark)
    x, y = body[-1]
    pen.ellipse(x, y, 0.8 * width, 0.6 * width, skin)
    pen.line([(x + 0.6 * width, y), (x + 1.1 * width, y - 0.02)], _blood(pen), 0.012)


def _wound(pen: Pen) -> None:
    half, depth = pen.rng.uniform(0.25, 0.42), pen.rng.uniform(0.06, 0.14)
    _blob(pen, 0.5, 0.5, half + 0.03, _skin(pen), 0.2)
    pen.ellipse(0.5, 0.5, half, depth, _blood(pen))
    pen.ellipse(0.5, 0.5, 0.75 * half, 0.5 * depth, (70, 8, 14))
    for _ in range(pen.rng.randint(1, 5)):
        x = pen.rng.uniform(0.5 - half / 2, 0.5 + half / 2)
        pen.line([(x, 0.5), (x, 0.55 + pen.rng.uniform(0.05, 0.35))], _blood(pen), pen.rng.uniform(0.02, 0.045))


def _stitches(pen: Pen) -> None:
    _blob(pen, 0.5, 0.5, 0.44, _skin(pen), 0.15)
    cut = _wave(pen, 0.5, pen.rng.uniform(0.02, 0.09), pen.rng.uniform(0.3, 1), pen.rng.randint(7, 13))[1:-1]
    pen.line(cut, _blood(pen), pen.rng.uniform(0.03, 0.06))
    for x, y in cut:
        pen.line([(x - 0.02, y - 0.08), (x + 0.02, y + 0.08)], _INK, 0.016)


def _rash(pen: Pen) -> None:
    _blob(pen, 0.5, 0.5, 0.46, _skin(pen), 0.12)
    for _ in range(pen.rng.randint(14, 40)):
        x, y = _polar(pen.rng.uniform(0, 7), pen.rng.uniform(0, 0.37))
        size = pen.rng.uniform(0.012, 0.045)
        pen.ellipse(x, y, 1.4 * size, 1.4 * size, (215, 120, 110))
        pen.ellipse(x, y, size, size, _blood(pen))


def _rotten_teeth(pen: Pen) -> None:
    pen.ellipse(0.5, 0.5, 0.46, pen.rng.uniform(0.22, 0.34), _blood(pen))
    pen.ellipse(0.5, 0.5, 0.38, 0.2, (50, 10, 16))
    count = pen.rng.randint(4, 7)
    for index in range(count):
        x, tone = 0.2 + 0.6 * index / count, pen.rng.randint(110, 215)
        for top, bottom in ((0.33, 0.47), (0.54, 0.67)):
            if pen.chance(0.8):
                pen.rectangle(x, top, x + 0.52 / count, bottom, (tone, int(tone * 0.85), int(tone * 0.4)), 0.02)
        pen.ellipse(x + 0.03, pen.rng.uniform(0.38, 0.62), 0.024, 0.03, _brown(pen))


def _sore_eye(pen: Pen) -> None:
    pen.ellipse(0.5, 0.5, 0.45, pen.rng.uniform(0.24, 0.34), (225, 140, 135))
    pen.ellipse(0.5, 0.5, 0.39, 0.22, _WHITE)
    for angle in _angles(pen.rng.randint(9, 18), pen.rng.random()):
        x, y = _polar(angle, 0.37)
        pen.line([(x, 0.5 + 0.55 * (y - 0.5)), (0.5 + 0.4 * (x - 0.5), 0.5 + 0.3 * (y - 0.5))], _blood(pen), 0.012)
    pen.ellipse(0.5, 0.5, 0.13, 0.13, pen.color(60, 170))
    pen.ellipse(0.5, 0.5, 0.06, 0.06, _INK)


def _stain(pen: Pen) -> None:
    brown = _brown(pen)
    _blob(pen, 0.5, 0.5, pen.rng.uniform(0.26, 0.4), brown, 0.5)
    _blob(pen, 0.5, 0.5, 0.2, (brown[0] // 2, brown[1] // 2, brown[2] // 2), 0.5)
    _splashes(pen, brown)


def _mold(pen: Pen) -> None:
    for _ in range(pen.rng.randint(4, 9)):
        x, y = _polar(pen.rng.uniform(0, 7), pen.rng.uniform(0, 0.32))
        size, gray = pen.rng.uniform(0.06, 0.15), pen.rng.randint(60, 130)
        _blob(pen, x, y, size, (190, 196, 176), 0.3)
        _blob(pen, x, y, 0.75 * size, (gray, gray + 25, gray - 10), 0.4)
        _blob(pen, x, y, 0.35 * size, (34, 44, 36), 0.4)


def _rotten_fruit(pen: Pen) -> None:
    size = pen.rng.uniform(0.3, 0.4)
    pen.line([(0.5, 0.5 - 0.8 * size), (0.54, 0.5 - 1.3 * size)], _brown(pen), 0.03)
    for side in (-1, 1):
        pen.ellipse(0.5 + side * 0.3 * size, 0.5, 0.75 * size, 0.95 * size, (150, pen.rng.randint(90, 130), 60))
    for _ in range(pen.rng.randint(2, 5)):
        x, y = _polar(pen.rng.uniform(0, 7), 0.55 * size)
        _blob(pen, x, y, pen.rng.uniform(0.06, 0.14), _brown(pen), 0.3)
    hole = _polar(pen.rng.uniform(0, 7), 0.45 * size)
    pen.ellipse(*hole, 0.06, 0.06, _INK)
    pen.line([hole, (hole[0] + 0.1, hole[1] - 0.08), (hole[0] + 0.15, hole[1] + 0.02)], (226, 214, 150), 0.05)


def _fish_bones(pen: Pen) -> None:
    bone: Color = (pen.rng.randint(205, 245),) * 3
    pen.line([(0.1, 0.5), (0.86, 0.5)], _INK, 0.05)
    pen.line([(0.1, 0.5), (0.86, 0.5)], bone, 0.03)
    ribs = pen.rng.randint(5, 9)
    for rib in range(ribs):
        x, half = 0.34 + 0.42 * rib / ribs, 0.2 - 0.12 * rib / ribs
        for side in (-1, 1):
            pen.line([(x, 0.5), (x + 0.06, 0.5 + side * half)], _INK, 0.034)
            pen.line([(x, 0.5), (x + 0.06, 0.5 + side * half)], bone, 0.02)
    pen.polygon([(0.84, 0.5), (0.97, 0.36), (0.97, 0.64)], bone)
    pen.polygon([(0.04, 0.5), (0.3, 0.32), (0.3, 0.68)], (170, 160, 140))
    pen.ellipse(0.21, 0.46, 0.028, 0.028, _blood(pen))


def _slime(pen: Pen) -> None:
    green: Color = (pen.rng.randint(90, 170), pen.rng.randint(130, 190), pen.rng.randint(20, 80))
    pen.rectangle(0.08, 0.08, 0.92, 0.28, green, 0.09)
    for index in range(pen.rng.randint(4, 8)):
        x, length, width = 0.14 + 0.1 * index, pen.rng.uniform(0.15, 0.6), pen.rng.uniform(0.03, 0.055)
        pen.rectangle(x - width, 0.15, x + width, 0.28 + length, green, width)
        pen.ellipse(x, 0.27 + length, 1.2 * width, 1.2 * width, (green[0] - 40, green[1] - 40, green[2] // 2))


def _butterfly(pen: Pen) -> None:
    wing, spot = _bright(pen), _bright(pen)
    for side in (-1, 1):
        for y, size in ((0.38, pen.rng.uniform(0.18, 0.24)), (0.64, pen.rng.uniform(0.12, 0.18))):
            pen.ellipse(0.5 + side * 0.95 * size, y, size, 0.85 * size, wing)
            pen.ellipse(0.5 + side * size, y, 0.4 * size, 0.4 * size, spot)
        pen.line([(0.5, 0.3), (0.5 + side * 0.09, 0.12)], _INK, 0.014)
    pen.ellipse(0.5, 0.5, 0.03, 0.22, _INK)


def _ladybug(pen: Pen) -> None:
    size = pen.rng.uniform(0.28, 0.38)
    pen.ellipse(0.5, 0.5 - 0.8 * size, 0.5 * size, 0.4 * size, _INK)
    pen.ellipse(0.5, 0.5, size, size, (pen.rng.randint(205, 250), pen.rng.randint(30, 90), 40))
    pen.line([(0.5, 0.5 - size), (0.5, 0.5 + size)], _INK, 0.02)
    for _ in range(pen.rng.randint(2, 4)):
        distance, y, dot = pen.rng.uniform(0.3, 0.65) * size, pen.rng.uniform(-0.5, 0.5) * size, 0.15 * size
        for side in (-1, 1):
            pen.ellipse(0.5 + side * distance, 0.5 + y, dot, dot, _INK)


def _fern(pen: Pen) -> None:
    stem = _wave(pen, 0.5, pen.rng.uniform(0.03, 0.12), pen.rng.uniform(0.3, 0.7), pen.rng.randint(10, 18))
    green: Color = (pen.rng.randint(30, 110), pen.rng.randint(120, 180), pen.rng.randint(40, 90))
    pen.line(stem, green, 0.02)
    for index, (x, y) in enumerate(stem[:-1]):
        reach = 0.24 * (1 - index / len(stem))
        pen.line([(x + 0.5 * reach, y - reach), (x, y), (x + 0.5 * reach, y + reach)], green, 0.03)


def _snowflake(pen: Pen) -> None:
    ice: Color = (pen.rng.randint(120, 220), pen.rng.randint(190, 235), 250)
    twig = pen.rng.uniform(0.2, 0.32)
    for angle in _angles(pen.rng.choice((6, 8)), pen.rng.random()):
        pen.line([(0.5, 0.5), _polar(angle, 0.44)], ice, 0.026)
        for side in (-0.3, 0.3):
            pen.line([_polar(angle, twig), _polar(angle + side, twig + 0.1)], ice, 0.022)


def _beads(pen: Pen) -> None:
    colors = [_bright(pen) for _ in range(pen.rng.randint(1, 3))]
    for index, (x, y) in enumerate(_wave(pen, 0.5, pen.rng.uniform(0.1, 0.26), pen.rng.uniform(0.5, 1.3), 17)):
        pen.ellipse(x, y, 0.042, 0.042, colors[index % len(colors)])
        pen.ellipse(x - 0.012, y - 0.014, 0.012, 0.012, _WHITE)


def _ribbon(pen: Pen) -> None:
    silk, path = _bright(pen), _wave(pen, 0.5, pen.rng.uniform(0.12, 0.25), pen.rng.uniform(0.8, 1.8), 40)
    pen.line(path, silk, pen.rng.uniform(0.06, 0.11))
    pen.line(path, (min(silk[0] + 40, 255), min(silk[1] + 40, 255), min(silk[2] + 40, 255)), 0.02)


def _lips(pen: Pen) -> None:
    red: Color = (pen.rng.randint(180, 240), pen.rng.randint(20, 80), pen.rng.randint(60, 120))
    for side in (-1, 1):
        pen.ellipse(0.5 + side * 0.17, 0.45, 0.22, pen.rng.uniform(0.1, 0.13), red)
    pen.ellipse(0.5, 0.54, 0.36, pen.rng.uniform(0.13, 0.18), red)
    if pen.chance(0.5):
        pen.ellipse(0.5, 0.5, 0.26, 0.05, _WHITE)
    else:
        pen.line([(0.14, 0.48), (0.5, 0.51), (0.86, 0.48)], (120, 20, 40), 0.02)


def _zipper(pen: Pen) -> None:
    cloth, metal = pen.color(40, 200), (pen.rng.randint(170, 230),) * 3
    pen.rectangle(0.05, 0.38, 0.95, 0.62, cloth, 0.03)
    for index in range(pen.rng.randint(10, 16)):
        x = 0.08 + 0.055 * index
        pen.line([(x, 0.44), (x, 0.56)], metal, 0.022)
    pen.rectangle(0.82, 0.42, 0.92, 0.74, metal, 0.03)


def _paint(pen: Pen) -> None:
    color = _bright(pen)
    _blob(pen, 0.5, 0.5, pen.rng.uniform(0.26, 0.4), color, 0.5)
    _splashes(pen, color)


def _cookie(pen: Pen) -> None:
    dough: Color = (pen.rng.randint(190, 230), pen.rng.randint(140, 175), pen.rng.randint(80, 120))
    _blob(pen, 0.5, 0.5, 0.44, dough, 0.08)
    for _ in range(pen.rng.randint(8, 20)):
        _blob(
            pen,
            *_polar(pen.rng.uniform(0, 7), pen.rng.uniform(0, 0.34)),
            pen.rng.uniform(0.03, 0.06),
            _brown(pen),
            0.3,
            8,
        )


def _strawberry(pen: Pen) -> None:
    red: Color = (pen.rng.randint(205, 245), pen.rng.randint(30, 70), pen.rng.randint(40, 80))
    pen.ellipse(0.5, 0.42, 0.3, 0.24, red)
    pen.polygon([(0.21, 0.47), (0.79, 0.47), (0.5, pen.rng.uniform(0.82, 0.95))], red)
    for _ in range(pen.rng.randint(10, 20)):
        pen.ellipse(pen.rng.uniform(0.32, 0.68), pen.rng.uniform(0.35, 0.65), 0.013, 0.02, (250, 220, 120))
    for angle in _angles(5, 0.3):
        pen.polygon([(0.44, 0.24), (0.56, 0.24), _polar(angle, 0.2, 0.5, 0.24)], (70, 150, 70))


def _smile(pen: Pen) -> None:
    pen.ellipse(0.5, 0.5, 0.44, 0.44, (255, pen.rng.randint(200, 235), pen.rng.randint(40, 110)))
    for x in (0.35, 0.65):
        pen.ellipse(x, 0.4, 0.05, pen.rng.uniform(0.05, 0.09), _INK)
    pen.draw.chord([v * CANVAS for v in (0.24, 0.3, 0.76, 0.8)], 15, 165, fill=_WHITE, outline=_INK, width=6)


# Make a picture unsuitable: animals, bodies and things, as article 003 groups them.
UNSUITABLE: Final[dict[str, Motif]] = {
    "cockroach": _cockroach,
    "spider": _spider,
    "centipede": _centipede,
    "worms": _worms,
    "flies": _flies,
    "snake": _snake,
    "wound": _wound,
    "stitches": _stitches,
    "rash": _rash,
    "rotten teeth": _rotten_teeth,
    "sore eye": _sore_eye,
    "stain": _stain,
    "mold": _mold,
    "rotten fruit": _rotten_fruit,
    "fish bones": _fish_bones,
    "slime": _slime,
}
# Harmless, and each like one of the above.
HARMLESS: Final[dict[str, Motif]] = {
    "butterfly": _butterfly,
    "ladybug": _ladybug,
    "fern": _fern,
    "snowflake": _snowflake,
    "beads": _beads,
    "ribbon": _ribbon,
    "lips": _lips,
    "zipper": _zipper,
    "paint": _paint,
    "cookie": _cookie,
    "strawberry": _strawberry,
    "smile": _smile,
}
MOTIFS: Final[dict[str, Motif]] = {**UNSUITABLE, **HARMLESS}
