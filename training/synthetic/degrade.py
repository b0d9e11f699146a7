"""Degrade an image like a platform degrades an avatar: crop, shrink to about 132 pixels, blur, compress as JPEG."""

from io import BytesIO
from random import Random

from PIL import Image, ImageEnhance, ImageFilter, ImageOps


def degrade(image: Image.Image, rng: Random, turn_hue: bool = False) -> bytes:
    """Return a square JPEG of 64 to 200 pixels; transparency is composited over a random color.

    `turn_hue` rotates the hues. Use it for drawings whose colors reveal more than their subject.
    """
    avatar = _over_random_color(image, rng)
    if turn_hue:
        avatar = _turn_hue(avatar, rng.randrange(256))
    avatar = _crop(avatar, rng.uniform(0.75, 1.0), rng)
    side = rng.choice((64, 96, 132, 132, 132, 200))
    avatar = avatar.resize((side, side), Image.Resampling.LANCZOS)
    if rng.random() < 0.4:
        avatar = avatar.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    avatar = ImageEnhance.Brightness(avatar).enhance(rng.uniform(0.8, 1.2))
    avatar = ImageEnhance.Color(avatar).enhance(rng.uniform(0.5, 1.3))
    buffer = BytesIO()
    avatar.save(buffer, "JPEG", quality=rng.randint(40, 92))
    return buffer.getvalue()


def _over_random_color(image: Image.Image, rng: Random) -> Image.Image:
    rgba = image.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, (rng.randrange(256), rng.randrange(256), rng.randrange(256), 255))
    return Image.alpha_composite(ground, rgba).convert("RGB")


def _turn_hue(image: Image.Image, shift: int) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    return Image.merge("HSV", (hue.point(lambda v: (v + shift) % 256), saturation, value)).convert("RGB")


def _crop(image: Image.Image, share: float, rng: Random) -> Image.Image:
    square = ImageOps.fit(image, (min(image.size),) * 2, centering=(0.5, 0.3))
    side = round(square.width * share)
    x, y = (rng.randint(0, square.width - side) for _ in range(2))
    return square.crop((x, y, x + side, y + side))
