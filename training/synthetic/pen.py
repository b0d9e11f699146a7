"""A canvas in fractions of its side, and the random choices that decide what is drawn."""

from dataclasses import dataclass
from random import Random
from typing import Final, Self

from PIL import Image, ImageDraw

Color = tuple[int, int, int]

# Images are drawn large and reduced later, which smooths the edges.
CANVAS: Final = 512


@dataclass(frozen=True)
class Pen:
    """Draws on an RGB image of `CANVAS` pixels; coordinates and sizes are fractions of the side, y points down."""

    image: Image.Image
    draw: ImageDraw.ImageDraw
    rng: Random

    @classmethod
    def on_gradient(cls, top: Color, bottom: Color, rng: Random) -> Self:
        """Start on a background that changes from `top` to `bottom`."""
        ramp = Image.linear_gradient("L").resize((CANVAS, CANVAS))
        image = Image.composite(Image.new("RGB", ramp.size, bottom), Image.new("RGB", ramp.size, top), ramp)
        return cls(image, ImageDraw.Draw(image), rng)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Color) -> None:
        self.draw.ellipse([v * CANVAS for v in (x - rx, y - ry, x + rx, y + ry)], fill=fill)

    def polygon(self, points: list[tuple[float, float]], fill: Color) -> None:
        self.draw.polygon([(x * CANVAS, y * CANVAS) for x, y in points], fill=fill)

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, fill: Color, radius: float = 0.0) -> None:
        self.draw.rounded_rectangle([v * CANVAS for v in (x0, y0, x1, y1)], radius * CANVAS, fill=fill)

    def arc(self, x: float, y: float, rx: float, ry: float, start: int, end: int, fill: Color, width: float) -> None:
        box = [(v * CANVAS) for v in (x - rx, y - ry, x + rx, y + ry)]
        self.draw.arc(box, start, end, fill=fill, width=round(width * CANVAS))

    def line(self, points: list[tuple[float, float]], fill: Color, width: float) -> None:
        self.draw.line([(x * CANVAS, y * CANVAS) for x, y in points], fill, round(width * CANVAS), joint="curve")

    def color(self, low: int = 40, high: int = 240) -> Color:
        return (self.rng.randint(low, high), self.rng.randint(low, high), self.rng.randint(low, high))

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability
