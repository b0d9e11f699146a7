"""`genderprep.placeholder`: placeholders are missing avatars; drawings, letters and gray portraits are not."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from genderprep import prepare_image
from tests.support.pictures import encode
from training.synthetic.drawing import draw_default_avatar, draw_portrait

FORMATS = ("PNG", "JPEG", "WEBP")
SIDES = (64, 132, 200, 640)


def present(image: Image.Image, kind: str = "PNG", side: int = 132) -> bool:
    return prepare_image(encode(image.convert("RGB").resize((side, side)), kind))[1]


def drawing(ground: int, draw: Callable[[ImageDraw.ImageDraw], None]) -> Image.Image:
    image = Image.new("L", (256, 256), ground)
    draw(ImageDraw.Draw(image))
    return image


def letters(text: str, size: int, fill: int) -> Callable[[ImageDraw.ImageDraw], None]:
    font = ImageFont.load_default(size)
    return lambda draw: draw.text((128, 128), text, fill, font, anchor="mm")


AVATARS = {
    "thin line": drawing(255, lambda draw: draw.line((20, 30, 230, 200), 90, 2)),
    "line art": drawing(255, lambda draw: draw.ellipse((60, 40, 200, 220), outline=60, width=3)),
    "pale line art": drawing(250, lambda draw: draw.ellipse((60, 40, 200, 220), outline=205, width=4)),
    "signature": drawing(255, letters("Anna", 40, 80)),
    "small gray letter": drawing(240, letters("x", 30, 180)),
    "big pale letter": drawing(222, letters("A", 220, 246)),
    "pale square": drawing(222, lambda draw: draw.rectangle((60, 60, 200, 200), fill=246)),
    "pale disk": drawing(222, lambda draw: draw.ellipse((40, 40, 216, 216), fill=246)),
    "gray portrait": draw_portrait("female", 3).convert("L"),
    "pale portrait": Image.fromarray((200 + np.asarray(draw_portrait("male", 4).convert("L")) // 5).astype(np.uint8)),
    "framed white": drawing(255, lambda draw: draw.rectangle((0, 0, 255, 255), outline=0, width=3)),
    "plain color": Image.new("RGB", (256, 256), (250, 230, 230)),
    "black": Image.new("L", (256, 256), 0),
}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("level", [150, 222, 245, 255])
def test_plain_light_gray_is_missing(level: int, side: int, kind: str) -> None:
    assert not present(Image.new("L", (256, 256), level), kind, side)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("side", SIDES)
def test_silhouette_is_missing(side: int, kind: str) -> None:
    assert not present(draw_default_avatar(), kind, side)


def test_dark_on_light_silhouette_is_missing() -> None:
    inverted = Image.eval(draw_default_avatar().convert("L"), lambda level: 200 if level > 235 else 240)
    assert not present(inverted)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", AVATARS)
def test_other_gray_pictures_are_present(name: str, kind: str) -> None:
    assert present(AVATARS[name], kind)
