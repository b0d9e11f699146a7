"""What a platform does to an avatar: cropped, shrunk to about 132 pixels, blurred, compressed as JPEG."""

from io import BytesIO
from random import Random

from PIL import Image, ImageEnhance, ImageFilter, ImageOps


def degrade(image: Image.Image, dice: Random, recolour: bool = False) -> bytes:
    """A profile picture as JPEG bytes, 64 to 200 pixels square.

    Transparency goes over a random colour; `recolour` turns the hues, for drawings whose colours
    would otherwise tell more than their subject.
    """
    picture = _over_colour(image, dice)
    if recolour:
        picture = _turn_hue(picture, dice.randrange(256))
    picture = _crop(picture, dice.uniform(0.75, 1.0), dice)
    side = dice.choice((64, 96, 132, 132, 132, 200))
    picture = picture.resize((side, side), Image.Resampling.LANCZOS)
    if dice.random() < 0.4:
        picture = picture.filter(ImageFilter.GaussianBlur(dice.uniform(0.3, 1.5)))
    picture = ImageEnhance.Brightness(picture).enhance(dice.uniform(0.8, 1.2))
    picture = ImageEnhance.Color(picture).enhance(dice.uniform(0.5, 1.3))
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=dice.randint(40, 92))
    return buffer.getvalue()


def _over_colour(image: Image.Image, dice: Random) -> Image.Image:
    rgba = image.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, (dice.randrange(256), dice.randrange(256), dice.randrange(256), 255))
    return Image.alpha_composite(ground, rgba).convert("RGB")


def _turn_hue(image: Image.Image, shift: int) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    return Image.merge("HSV", (hue.point(lambda v: (v + shift) % 256), saturation, value)).convert("RGB")


def _crop(image: Image.Image, share: float, dice: Random) -> Image.Image:
    square = ImageOps.fit(image, (min(image.size),) * 2, centering=(0.5, 0.3))
    side = round(square.width * share)
    x, y = (dice.randint(0, square.width - side) for _ in range(2))
    return square.crop((x, y, x + side, y + side))
