"""The themes of greeting cards, drawn from shapes.

Each function draws one theme on a pen whose background is a sky. All positions, sizes and colors come from the pen's
random choices.
"""

import math
from collections.abc import Callable
from typing import Final

from .pen import Color, Pen

_WHITE: Final[Color] = (250, 250, 250)
_INK: Final[Color] = (40, 34, 36)
_LEAF: Final[Color] = (70, 140, 74)


def _warm(pen: Pen) -> Color:
    return (pen.rng.randint(200, 255), pen.rng.randint(70, 190), pen.rng.randint(30, 120))


def _ground(pen: Pen, top: float, fill: Color) -> None:
    pen.rectangle(0, top, 1, 1, fill)


def _sunrise(pen: Pen) -> None:
    x, radius = pen.rng.uniform(0.3, 0.7), pen.rng.uniform(0.1, 0.17)
    for ray in range(12):
        angle = math.pi * ray / 11
        end = (x - 0.6 * math.cos(angle), 0.62 - 0.6 * math.sin(angle))
        pen.line([(x, 0.62), end], (255, 226, 150), 0.012)
    pen.ellipse(x, 0.62, radius, radius, _warm(pen))
    _ground(pen, 0.62, pen.color(60, 140))


def _flowers(pen: Pen) -> None:
    for index in range(pen.rng.randint(1, 4)):
        x, y = 0.2 + 0.2 * index + pen.rng.uniform(0, 0.1), pen.rng.uniform(0.3, 0.6)
        petal, size, petals = pen.color(120, 255), pen.rng.uniform(0.06, 0.1), pen.rng.randint(5, 8)
        pen.line([(x, y), (x + pen.rng.uniform(-0.05, 0.05), 1)], _LEAF, 0.014)
        for turn in range(petals):
            angle = 2 * math.pi * turn / petals
            pen.ellipse(
                x + 1.1 * size * math.cos(angle), y + 1.1 * size * math.sin(angle), 0.7 * size, 0.7 * size, petal
            )
        pen.ellipse(x, y, 0.6 * size, 0.6 * size, (250, 205, 70))


def _head(pen: Pen, x: float, y: float, size: float, fur: Color) -> None:
    pen.ellipse(x, y, 1.1 * size, size, fur)
    for side in (-1, 1):
        pen.ellipse(x + side * 0.42 * size, y - 0.12 * size, 0.15 * size, 0.18 * size, _WHITE)
        pen.ellipse(x + side * 0.42 * size, y - 0.12 * size, 0.08 * size, 0.12 * size, _INK)


def _cat(pen: Pen) -> None:
    x, y, size, fur = (
        pen.rng.uniform(0.4, 0.6),
        pen.rng.uniform(0.45, 0.6),
        pen.rng.uniform(0.2, 0.28),
        pen.color(50, 170),
    )
    for side in (-1, 1):
        points = [(0.95, -0.35), (0.8, -1.35), (0.2, -0.85)]
        pen.polygon([(x + side * dx * size, y + dy * size) for dx, dy in points], fur)
    _head(pen, x, y, size, fur)
    pen.polygon(
        [(x - 0.1 * size, y + 0.2 * size), (x + 0.1 * size, y + 0.2 * size), (x, y + 0.35 * size)], (225, 130, 135)
    )
    for side in (-1, 1):
        for slope in (-0.1, 0.05, 0.2):
            start, end = (x + side * 0.3 * size, y + 0.35 * size), (x + side * 1.2 * size, y + (0.3 + slope) * size)
            pen.line([start, end], _INK, 0.004)


def _dog(pen: Pen) -> None:
    x, y, size, fur = (
        pen.rng.uniform(0.4, 0.6),
        pen.rng.uniform(0.42, 0.55),
        pen.rng.uniform(0.2, 0.27),
        pen.color(60, 160),
    )
    ear: Color = (fur[0] * 2 // 3, fur[1] * 2 // 3, fur[2] * 2 // 3)
    _head(pen, x, y, size, fur)
    for side in (-1, 1):
        pen.ellipse(x + side * 1.05 * size, y + 0.1 * size, 0.3 * size, 0.75 * size, ear)
    pen.ellipse(x, y + 0.5 * size, 0.55 * size, 0.42 * size, _WHITE)
    pen.ellipse(x, y + 0.3 * size, 0.18 * size, 0.13 * size, _INK)
    pen.ellipse(x, y + 0.85 * size, 0.13 * size, 0.22 * size, (230, 110, 120))


def _mountains(pen: Pen) -> None:
    pen.ellipse(pen.rng.uniform(0.2, 0.8), 0.2, 0.07, 0.07, (255, 236, 150))
    for base in (0.5, 0.68, 0.84):
        color, shift = pen.color(40, 160), pen.rng.uniform(-0.1, 0.1)
        for peak in range(3):
            x, height = 0.17 + 0.33 * peak + shift, pen.rng.uniform(0.18, 0.36)
            pen.polygon([(x - 0.3, 1), (x - 0.05, base - height), (x + 0.02, base - height), (x + 0.32, 1)], color)
            if base < 0.6:
                tip = [(x - 0.1, base - 0.75 * height), (x - 0.05, base - height), (x + 0.02, base - height)]
                pen.polygon([*tip, (x + 0.08, base - 0.75 * height)], _WHITE)


def _sea(pen: Pen) -> None:
    horizon = pen.rng.uniform(0.42, 0.58)
    _ground(pen, horizon, (30, pen.rng.randint(90, 150), pen.rng.randint(130, 210)))
    for _ in range(16):
        x, y = pen.rng.random(), pen.rng.uniform(horizon + 0.03, 0.97)
        pen.arc(x, y, 0.06, 0.02, 180, 360, (200, 228, 240), 0.006)
    x, sail = pen.rng.uniform(0.3, 0.7), pen.color(150, 255)
    pen.polygon([(x, horizon - 0.25), (x, horizon), (x + 0.16, horizon)], sail)
    pen.polygon(
        [(x - 0.14, horizon + 0.02), (x + 0.2, horizon + 0.02), (x + 0.12, horizon + 0.09), (x - 0.08, horizon + 0.09)],
        (120, 70, 50),
    )


def _city(pen: Pen) -> None:
    x = -0.02
    while x < 1:
        width, top, wall = pen.rng.uniform(0.1, 0.2), pen.rng.uniform(0.25, 0.65), pen.color(50, 150)
        pen.rectangle(x, top, x + width, 1, wall)
        for row in range(int((0.95 - top) / 0.08)):
            for column in range(int(width / 0.05)):
                lit = (255, 230, 140) if pen.chance(0.6) else (90, 100, 120)
                left, upper = x + 0.015 + 0.05 * column, top + 0.03 + 0.08 * row
                pen.rectangle(left, upper, left + 0.025, upper + 0.04, lit)
        x += width + 0.01


def _car(pen: Pen) -> None:
    _ground(pen, 0.72, (96, 98, 104))
    x, paint = pen.rng.uniform(0.2, 0.3), pen.color(50, 170)
    pen.rectangle(x, 0.52, x + 0.52, 0.7, paint, radius=0.04)
    pen.polygon([(x + 0.1, 0.53), (x + 0.18, 0.4), (x + 0.36, 0.4), (x + 0.44, 0.53)], paint)
    pen.polygon([(x + 0.14, 0.52), (x + 0.2, 0.43), (x + 0.26, 0.43), (x + 0.26, 0.52)], (190, 220, 235))
    pen.polygon([(x + 0.28, 0.52), (x + 0.28, 0.43), (x + 0.35, 0.43), (x + 0.4, 0.52)], (190, 220, 235))
    for wheel in (x + 0.12, x + 0.41):
        pen.ellipse(wheel, 0.71, 0.065, 0.065, _INK)
        pen.ellipse(wheel, 0.71, 0.03, 0.03, (190, 190, 195))
    for dash in range(4):
        pen.rectangle(0.05 + 0.26 * dash, 0.87, 0.17 + 0.26 * dash, 0.89, _WHITE)


def _football(pen: Pen) -> None:
    _ground(pen, 0.6, (64, pen.rng.randint(130, 170), 70))
    pen.line([(0.1, 0.6), (0.1, 0.25), (0.9, 0.25), (0.9, 0.6)], _WHITE, 0.02)
    x, y, r = pen.rng.uniform(0.35, 0.65), pen.rng.uniform(0.55, 0.75), pen.rng.uniform(0.13, 0.18)
    pen.ellipse(x, y, r, r, _WHITE)
    turn = pen.rng.uniform(0, 1)
    for distance, size, count in ((0.0, 0.34, 1), (0.78, 0.22, 5)):
        for patch in range(count):
            angle = 2 * math.pi * patch / 5 + turn
            center = (x + distance * r * math.cos(angle), y + distance * r * math.sin(angle))
            corners = [angle + 2 * math.pi * corner / 5 for corner in range(5)]
            pen.polygon(
                [(center[0] + size * r * math.cos(a), center[1] + size * r * math.sin(a)) for a in corners], _INK
            )


def _hearts(pen: Pen) -> None:
    for _ in range(pen.rng.randint(2, 5)):
        x, y, size = pen.rng.uniform(0.2, 0.8), pen.rng.uniform(0.2, 0.75), pen.rng.uniform(0.07, 0.16)
        red: Color = (pen.rng.randint(200, 250), pen.rng.randint(30, 110), pen.rng.randint(70, 140))
        for side in (-1, 1):
            pen.ellipse(x + side * 0.48 * size, y, 0.55 * size, 0.5 * size, red)
        pen.polygon([(x - 0.97 * size, y + 0.2 * size), (x + 0.97 * size, y + 0.2 * size), (x, y + 1.25 * size)], red)


def _cake(pen: Pen) -> None:
    layers, cream = pen.rng.randint(2, 3), pen.color(190, 255)
    for layer in range(layers):
        half, top = 0.34 - 0.08 * layer, 0.72 - 0.16 * layer
        pen.rectangle(0.5 - half, top, 0.5 + half, top + 0.16, pen.color(150, 240), radius=0.02)
        for drop in range(8):
            pen.ellipse(0.5 - half + (drop + 0.5) * half / 4, top + 0.02, half / 8, 0.04, cream)
    top = 0.72 - 0.16 * (layers - 1)
    for candle in range(pen.rng.randint(1, 5)):
        x = 0.38 + 0.06 * candle
        pen.rectangle(x, top - 0.12, x + 0.016, top, pen.color(90, 250))
        pen.ellipse(x + 0.008, top - 0.14, 0.012, 0.022, (255, 190, 60))


def _moon(pen: Pen) -> None:
    x, y, r = pen.rng.uniform(0.3, 0.7), pen.rng.uniform(0.28, 0.45), pen.rng.uniform(0.13, 0.2)
    pen.rectangle(0, 0, 1, 1, (24, 30, pen.rng.randint(60, 110)))
    pen.ellipse(x, y, r, r, (250, 238, 180))
    pen.ellipse(x + 0.45 * r, y - 0.2 * r, 0.85 * r, 0.85 * r, (24, 30, 80))
    for _ in range(30):
        size = pen.rng.uniform(0.002, 0.007)
        pen.ellipse(pen.rng.random(), pen.rng.uniform(0, 0.8), size, size, _WHITE)


def _lanterns(pen: Pen) -> None:
    for index in range(pen.rng.randint(2, 4)):
        x, y, size = 0.18 + 0.22 * index, pen.rng.uniform(0.3, 0.6), pen.rng.uniform(0.08, 0.12)
        pen.line([(x, 0), (x, y)], _INK, 0.006)
        pen.ellipse(x, y, size, 0.85 * size, (pen.rng.randint(200, 240), 40, 40))
        for rib in (0.35, 0.7):
            pen.arc(x, y, rib * size, 0.85 * size, 0, 360, (240, 180, 70), 0.006)
        for end in (-1, 1):
            pen.rectangle(
                x - 0.4 * size,
                y + end * 0.85 * size - 0.012,
                x + 0.4 * size,
                y + end * 0.85 * size + 0.012,
                (240, 190, 80),
            )
        pen.line([(x, y + 0.85 * size), (x, y + 1.7 * size)], (240, 190, 80), 0.012)


def _balloons(pen: Pen) -> None:
    for _ in range(pen.rng.randint(3, 6)):
        x, y, size = pen.rng.uniform(0.15, 0.85), pen.rng.uniform(0.15, 0.5), pen.rng.uniform(0.07, 0.11)
        pen.line([(x, y + size), (0.5, 1)], (120, 120, 125), 0.005)
        pen.ellipse(x, y, 0.85 * size, size, pen.color(90, 250))
        pen.ellipse(x - 0.3 * size, y - 0.4 * size, 0.15 * size, 0.2 * size, _WHITE)


def _coffee(pen: Pen) -> None:
    _ground(pen, 0.75, (150, 110, 80))
    cup, x = pen.color(110, 250), pen.rng.uniform(0.4, 0.5)
    pen.arc(x + 0.24, 0.6, 0.09, 0.09, 0, 360, cup, 0.03)
    pen.polygon([(x - 0.22, 0.48), (x + 0.22, 0.48), (x + 0.15, 0.76), (x - 0.15, 0.76)], cup)
    pen.ellipse(x, 0.48, 0.22, 0.05, (96, 60, 40))
    for steam in (-0.1, 0.0, 0.1):
        points = [(x + steam + 0.02 * math.sin(9 * step), 0.4 - 0.05 * step) for step in range(6)]
        pen.line(points, _WHITE, 0.012)


def _tree(pen: Pen) -> None:
    _ground(pen, 0.8, (96, 150, 84))
    x, crown = pen.rng.uniform(0.35, 0.65), pen.color(60, 180)
    pen.rectangle(x - 0.035, 0.5, x + 0.035, 0.86, (104, 72, 50))
    for _ in range(9):
        pen.ellipse(x + pen.rng.uniform(-0.16, 0.16), pen.rng.uniform(0.24, 0.5), 0.12, 0.11, crown)
    if pen.chance(0.6):
        for _ in range(8):
            pen.ellipse(x + pen.rng.uniform(-0.2, 0.2), pen.rng.uniform(0.2, 0.55), 0.022, 0.022, (220, 60, 50))


THEMES: Final[dict[str, Callable[[Pen], None]]] = {
    "sunrise": _sunrise,
    "flowers": _flowers,
    "cat": _cat,
    "dog": _dog,
    "mountains": _mountains,
    "sea": _sea,
    "city": _city,
    "car": _car,
    "football": _football,
    "hearts": _hearts,
    "cake": _cake,
    "moon": _moon,
    "lanterns": _lanterns,
    "balloons": _balloons,
    "coffee": _coffee,
    "tree": _tree,
}
