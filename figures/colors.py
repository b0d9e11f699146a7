"""The color of each thing, the same in all plots, from the palette of Okabe and Ito (2008), which color-blind people
can tell apart: https://jfly.uni-koeln.de/color/
"""

from collections.abc import Iterable
from itertools import cycle
from typing import Final

BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
VERMILLION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
SKY: Final = "#56B4E9"
GRAY: Final = "#8C8C8C"
# The order in which things without a color of their own get one.
PALETTE: Final = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, GRAY)
GOOD, BAD = GREEN, VERMILLION

# By name in lower case.
COLORS: Final = {
    "male": BLUE,
    "female": PURPLE,
    "unknown": GRAY,
    "avatar": GREEN,
    "nickname": ORANGE,
    "densenet": BLUE,
    "mobilenet": ORANGE,
    "triton": GREEN,
    "fastapi": SKY,
    "litserve": PURPLE,
    "bentoml": ORANGE,
    "mlserver": VERMILLION,
    "ray serve": BLUE,
    "nginx": PURPLE,
    "generator": GRAY,
    "others": SKY,
    "preprocess": SKY,
    "sdk": PURPLE,
    "shared memory": GRAY,
    "sent": SKY,
    "answered": GOOD,
    "refused": ORANGE,
    "failed": BAD,
    "lost": BAD,
    "waiting": SKY,
    "moco v2": PURPLE,
    "swav": SKY,
    "dual encoder": VERMILLION,
    "dual encoder, served": GREEN,
    "train": GRAY,
    "validation": BLUE,
}


def colors_of(things: Iterable[str]) -> dict[str, str]:
    """Return the color of each thing; things that are not in `COLORS` get those that are left."""
    known = {thing: COLORS.get(thing.lower()) for thing in things}
    free = cycle([color for color in PALETTE if color not in known.values()] or PALETTE)
    return {thing: color or next(free) for thing, color in known.items()}
