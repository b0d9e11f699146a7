"""What spoils a picture as a whole: blur, low resolution, lettering, collages and pages without a picture."""

from collections.abc import Sequence
from random import Random
from typing import Final

from PIL import Image, ImageDraw, ImageFilter

from .cards import SIDE, font
from .drawing import draw_default_avatar
from .pen import CANVAS, Color, Pen

SLOGANS: Final = ("SALE", "50% OFF", "HOT", "¥9.9", "NEW", "限定", "特価", "新品", "0元", "FREE", "shop.example")
ERRORS: Final = ("404", "500", "502", "503", "ERROR", "Not Found", "Oops!", "403")
_GRAY: Final[Color] = (222, 222, 222)


def blur(image: Image.Image, rng: Random) -> Image.Image:
    """Blur as if out of focus."""
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(6, 11)))


def lower_resolution(image: Image.Image, rng: Random) -> Image.Image:
    """Shrink to a thumbnail and enlarge it: smooth, blocky or in between."""
    side = rng.randint(14, 26)
    method = rng.choice((Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC))
    return image.resize((side, side), Image.Resampling.BOX).resize(image.size, method)


def overlay_text(image: Image.Image, rng: Random) -> Image.Image:
    """Cover much of a picture with an advertisement or a watermark."""
    return rng.choice((_banners, _watermark, _sticker))(image, rng)


def collage(images: Sequence[Image.Image], rng: Random) -> Image.Image:
    """Put two to four pictures side by side, with or without a border."""
    half, border = SIDE // 2, rng.choice((0, 4, 8))
    boxes = {
        2: ((0, 0, half, SIDE), (half, 0, SIDE, SIDE)),
        3: ((0, 0, SIDE, half), (0, half, half, SIDE), (half, half, SIDE, SIDE)),
        4: ((0, 0, half, half), (half, 0, SIDE, half), (0, half, half, SIDE), (half, half, SIDE, SIDE)),
    }[len(images)]
    sheet, turned = Image.new("RGB", (SIDE, SIDE), _ink(rng)), rng.random() < 0.5
    for image, box in zip(images, boxes, strict=True):
        top, left, bottom, right = box if turned else (box[1], box[0], box[3], box[2])
        size = (right - left - border, bottom - top - border)
        sheet.paste(_filled(image, size), (left + border // 2, top + border // 2))
    return sheet


def empty_slot(rng: Random) -> Image.Image:
    """Draw what stands where a picture is missing: a plain color, an icon, a silhouette or a checkerboard."""
    image = Image.new("RGB", (CANVAS, CANVAS), rng.choice(((_GRAY), (250, 250, 250), _ink(rng))))
    pen = Pen(image, ImageDraw.Draw(image), rng)
    kind = rng.choice(("plain", "icon", "broken", "silhouette", "checkerboard", "spinner"))
    line: Color = (rng.randint(120, 190),) * 3
    if kind == "silhouette":
        image = draw_default_avatar()
    elif kind == "checkerboard":
        count = rng.choice((8, 12, 16))
        for cell in range(0, count * count, 2):
            row, column = divmod(cell, count)
            x, y = (column + row % 2) / count, row / count
            pen.rectangle(x, y, x + 1 / count, y + 1 / count, _GRAY)
    elif kind == "spinner":
        start, radius = rng.randrange(360), rng.uniform(0.08, 0.2)
        pen.arc(0.5, 0.5, radius, radius, start, start + 270, line, 0.03)
    elif kind != "plain":
        pen.arc(0.42, 0.42, 0.03, 0.03, 0, 360, line, 0.02)
        pen.line([(0.3, 0.35), (0.7, 0.35), (0.7, 0.65), (0.3, 0.65), (0.3, 0.33)], line, 0.02)
        pen.line([(0.32, 0.63), (0.48, 0.48), (0.56, 0.56), (0.62, 0.5), (0.69, 0.6)], line, 0.02)
        if kind == "broken":
            pen.line([(0.24, 0.72), (0.76, 0.28)], line, 0.03)
    return image.reduce(CANVAS // SIDE)


def error_page(rng: Random) -> Image.Image:
    """Draw a web page that says that something failed."""
    paper = rng.choice(((255, 255, 255), (244, 246, 250), (36, 40, 48)))
    image = Image.new("RGB", (SIDE, SIDE), paper)
    draw, gray, y = ImageDraw.Draw(image), (150, 154, 160), rng.randint(70, 120)
    if rng.random() < 0.4:
        draw.rectangle((0, 0, SIDE, 26), _GRAY)
        draw.rounded_rectangle((40, 6, 220, 20), 6, "white")
    ink = rng.choice(((200, 60, 60), (90, 110, 200), gray))
    draw.text((SIDE / 2, y), rng.choice(ERRORS), ink, font(rng.choice((44, 56, 68))), anchor="mm")
    for line in range(rng.randint(1, 4)):
        width = rng.randint(50, 95)
        draw.line((SIDE / 2 - width, y + 50 + 16 * line, SIDE / 2 + width, y + 50 + 16 * line), gray, 5)
    if rng.random() < 0.5:
        draw.rounded_rectangle((SIDE / 2 - 40, 215, SIDE / 2 + 40, 238), 8, ink)
    return image


def _banners(image: Image.Image, rng: Random) -> Image.Image:
    """Strips of color with large letters, at the edges."""
    draw = ImageDraw.Draw(covered := image.copy())
    for top in rng.sample((0, 64, 192), rng.randint(1, 2)):
        draw.rectangle((0, top, SIDE, top + 64), rng.choice(((215, 30, 40), (250, 205, 30), (20, 20, 24))))
        text = f"{rng.choice(SLOGANS)} {rng.choice(SLOGANS)}"
        draw.text((SIDE / 2, top + 32), text, "white", font(36), anchor="mm", stroke_width=1, stroke_fill=(60, 10, 10))
    return covered


def _watermark(image: Image.Image, rng: Random) -> Image.Image:
    """One text all over, slanted and half transparent."""
    layer = Image.new("RGBA", (2 * SIDE, 2 * SIDE))
    draw, text, size = ImageDraw.Draw(layer), rng.choice(SLOGANS), rng.choice((24, 32, 40))
    ink = (*rng.choice(((255, 255, 255), (20, 20, 20), (220, 30, 30))), rng.randint(130, 200))
    step = draw.textlength(text, font(size)) + size
    for row in range(2 * SIDE // (2 * size)):
        for column in range(int(2 * SIDE // step) + 1):
            draw.text((column * step - (row % 2) * step / 2, 2 * row * size), text, ink, font(size))
    slanted = layer.rotate(rng.choice((-30, 30)), Image.Resampling.BILINEAR)
    covered = image.copy()
    covered.paste(slanted, (-SIDE // 2, -SIDE // 2), slanted)
    return covered


def _sticker(image: Image.Image, rng: Random) -> Image.Image:
    """A large round price tag and a line of small print."""
    draw, radius = ImageDraw.Draw(covered := image.copy()), rng.randint(52, 72)
    x, y = rng.choice((radius, SIDE - radius)), rng.choice((radius, SIDE - radius))
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), rng.choice(((225, 30, 40), (250, 180, 20))))
    text = rng.choice(SLOGANS[:-1])
    size = min(64, int(64 * 1.6 * radius / draw.textlength(text, font(64))))
    draw.text((x, y), text, "white", font(size), anchor="mm")
    other_edge = (SIDE / 2, SIDE - y)
    draw.text(other_edge, rng.choice(SLOGANS), "white", font(44), anchor="mm", stroke_width=3, stroke_fill="black")
    return covered


def _ink(rng: Random) -> Color:
    return (rng.randrange(256), rng.randrange(256), rng.randrange(256))


def _filled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Crop the middle to the shape of `size`, and resize."""
    width, height = size
    scale = min(image.width / width, image.height / height)
    half_x, half_y = scale * width / 2, scale * height / 2
    x, y = image.width / 2, image.height / 2
    return image.resize(size, Image.Resampling.BILINEAR, (x - half_x, y - half_y, x + half_x, y + half_y))
