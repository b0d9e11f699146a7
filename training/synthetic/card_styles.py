"""The styles of greeting cards: each turns a flat drawing into the same drawing in another technique."""

from collections.abc import Callable
from random import Random
from typing import Final

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps


def _flat(image: Image.Image, rng: Random) -> Image.Image:
    return ImageEnhance.Color(image).enhance(rng.uniform(0.9, 1.2))


def _line_art(image: Image.Image, rng: Random) -> Image.Image:
    """Dark outlines on paper."""
    edges = ImageOps.grayscale(image.filter(ImageFilter.FIND_EDGES)).filter(ImageFilter.MaxFilter(3))
    ink = edges.point([min(255, 6 * value) for value in range(256)])
    paper, line = ((rng.randint(244, 255),) * 3, (rng.randint(20, 70),) * 3)
    outlined = Image.composite(Image.new("RGB", image.size, line), Image.new("RGB", image.size, paper), ink)
    # The outline of the image itself is no line of the drawing.
    margin = image.width // 64
    return ImageOps.expand(ImageOps.crop(outlined, margin), margin, fill=paper)


def _watercolor(image: Image.Image, rng: Random) -> Image.Image:
    """Soft edges, thin color and the grain of the paper."""
    soft = image.filter(ImageFilter.ModeFilter(5)).filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 2.5)))
    thin = Image.blend(soft, Image.new("RGB", image.size, "white"), rng.uniform(0.2, 0.35))
    spots = Image.frombytes("L", (32, 32), rng.randbytes(32 * 32)).resize(image.size, Image.Resampling.BICUBIC)
    grain = spots.point([225 + value * 30 // 255 for value in range(256)])
    return ImageChops.multiply(thin, Image.merge("RGB", (grain, grain, grain)))


def _pixel(image: Image.Image, rng: Random) -> Image.Image:
    """Large square pixels in few colors."""
    side = rng.choice((24, 32, 40))
    small = image.resize((side, side), Image.Resampling.BOX).quantize(rng.choice((12, 16, 24))).convert("RGB")
    return small.resize(image.size, Image.Resampling.NEAREST)


def _dark(image: Image.Image, rng: Random) -> Image.Image:
    """Deep shadows and a cold tint, as at night."""
    night = ImageChops.multiply(image, Image.new("RGB", image.size, (100, 108, rng.randint(140, 170))))
    return ImageEnhance.Contrast(night).enhance(rng.uniform(1.1, 1.4))


def _pastel(image: Image.Image, rng: Random) -> Image.Image:
    """Pale, light colors."""
    pale = ImageEnhance.Color(image).enhance(rng.uniform(0.55, 0.75))
    tint = (255, rng.randint(232, 250), rng.randint(236, 255))
    return Image.blend(pale, Image.new("RGB", image.size, tint), rng.uniform(0.45, 0.58))


STYLES: Final[dict[str, Callable[[Image.Image, Random], Image.Image]]] = {
    "flat": _flat,
    "line art": _line_art,
    "watercolor": _watercolor,
    "pixel": _pixel,
    "dark": _dark,
    "pastel": _pastel,
}
