"""Pairs of avatars: a file as it may arrive, and a plain PNG with the same pixels."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from random import Random
from typing import Any, Final, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from reliability.malformed.cases.encode import pillow
from training.synthetic.drawing import draw_default_avatar, draw_portrait, draw_scene

# Smaller than the model's input, so that no decoder scales a JPEG down itself.
SIDE: Final = 120
LIGHT_LEVELS: Final = (150, 200, 222, 240, 255)


class PicturePair(NamedTuple):
    """An avatar as it may arrive, and the avatar that it stands for; an empty one stands for a missing avatar."""

    kind: str
    variant: bytes
    canonical: bytes


def picture_pairs(seed: int, per_kind: int) -> list[PicturePair]:
    """Draw pictures and write each in every variant.

    Args:
        seed: Of the pictures.
        per_kind: The most pairs of one kind.
    """
    rng = Random(seed)
    kinds: dict[str, list[PicturePair]] = {}
    for number in range(8):
        picture = _picture(rng.randrange(2**16), number)
        for pair in (*_modes(picture), *_turned(picture), *_animated(picture), *_cut(picture)):
            kinds.setdefault(pair.kind, []).append(pair)
    for pair in (*_default_avatars(), *_drawings()):
        kinds.setdefault(pair.kind, []).append(pair)
    return [pair for pairs in kinds.values() for pair in rng.sample(pairs, min(per_kind, len(pairs)))]


def _picture(seed: int, number: int) -> Image.Image:
    drawn = draw_scene(seed) if number % 4 == 3 else draw_portrait(("female", "male")[number % 2], seed)
    return drawn.convert("RGB").resize((SIDE, SIDE))


def _png(image: Image.Image) -> bytes:
    return pillow(image.convert("RGB"), "PNG")


def _modes(picture: Image.Image) -> Iterator[PicturePair]:
    """Every mode and depth of the lossless formats. Transparent pixels are white."""
    gray, few = picture.convert("L"), picture.quantize(64)
    clear = Image.linear_gradient("L").resize(picture.size)
    on_white = Image.new("RGB", picture.size, "white")
    on_white.paste(picture, mask=clear)
    gray_on_white = Image.new("L", picture.size, 255)
    gray_on_white.paste(gray, mask=clear)
    wide = Image.fromarray(np.asarray(gray, np.uint16) * 257)
    with_alpha, gray_with_alpha = picture.copy(), Image.merge("LA", (gray, clear))
    with_alpha.putalpha(clear)
    written: tuple[tuple[str, Image.Image, dict[str, Any], Image.Image], ...] = (
        ("PNG", picture.convert("1"), {}, picture.convert("1")),
        ("PNG", gray, {}, gray),
        ("PNG", gray.quantize(4), {"bits": 2}, gray.quantize(4)),
        ("PNG", few, {}, few),
        ("PNG", picture.quantize(16), {"bits": 4}, picture.quantize(16)),
        ("PNG", wide, {}, gray),
        ("PNG", with_alpha, {}, on_white),
        ("PNG", gray_with_alpha, {}, gray_on_white),
        ("GIF", few, {}, few),
        ("GIF", gray, {}, gray),
        ("BMP", picture, {}, picture),
        ("BMP", gray, {}, gray),
        ("BMP", few, {}, few),
        ("BMP", picture.convert("1"), {}, picture.convert("1")),
        ("WEBP", picture, {"lossless": True}, picture),
        ("WEBP", with_alpha, {"lossless": True, "exact": True}, on_white),
    )
    for file_format, image, options, expected in written:
        yield PicturePair("modes and depths", pillow(image, file_format, **options), _png(expected))


def _turned(picture: Image.Image) -> Iterator[PicturePair]:
    """The orientation of a camera, in the tags of every format that has them."""
    for orientation, (file_format, options) in product(range(1, 9), (("PNG", {}), ("WEBP", {"lossless": True}))):
        tags = Image.Exif()
        tags[0x0112] = orientation
        expected = picture.copy()
        expected.info["exif"] = tags.tobytes()
        file = pillow(picture, file_format, exif=tags.tobytes(), **options)
        yield PicturePair("EXIF orientation", file, _png(ImageOps.exif_transpose(expected)))


def _animated(picture: Image.Image) -> Iterator[PicturePair]:
    """The first frame counts."""
    others = [picture.rotate(90), picture.rotate(180)]
    few = picture.quantize(64)
    options = {"save_all": True, "append_images": others}
    yield PicturePair("animations", pillow(picture, "PNG", **options), _png(picture))
    yield PicturePair("animations", pillow(picture, "WEBP", lossless=True, **options), _png(picture))
    yield PicturePair("animations", pillow(few, "GIF", save_all=True, append_images=[few.rotate(90)]), _png(few))


def _cut(picture: Image.Image) -> Iterator[PicturePair]:
    """Files whose end is damaged, with every pixel there."""
    codings: tuple[dict[str, Any], ...] = ({}, {"progressive": True}, {"restart_marker_blocks": 1}, {"quality": 30})
    for options, mode in product(codings, ("RGB", "L")):
        whole = pillow(picture.convert(mode), "JPEG", **options)
        for cut in (whole[:-1], whole[:-2], whole[:-2] + bytes(20), whole + b"\r\n"):
            yield PicturePair("damaged end", cut, whole)
    png, gif, bmp = pillow(picture, "PNG"), pillow(picture.quantize(64), "GIF"), pillow(picture, "BMP")
    for cut, whole in ((png[:-12], png), (png[:-4], png), (gif[:-1], gif), (gif + b"\0", gif), (bmp + b"\0", bmp)):
        yield PicturePair("damaged end", cut, whole)


def _default_avatars() -> Iterator[PicturePair]:
    """Plain light gray, and the silhouette that platforms draw, as every format writes them."""
    images = [*(Image.new("RGB", (SIDE, SIDE), (level,) * 3) for level in LIGHT_LEVELS), draw_default_avatar()]
    for image, side, file_format in product(images, (64, 132, 640), ("PNG", "JPEG", "WEBP", "GIF", "BMP")):
        yield PicturePair("default avatars", pillow(image.resize((side, side)), file_format), b"")


def _drawings() -> Iterator[PicturePair]:
    """Line art, letters and portraits in gray, which are no default avatars."""
    font = ImageFont.load_default(60)
    shapes: tuple[Callable[[ImageDraw.ImageDraw], None], ...] = (
        lambda draw: draw.line((20, 30, 100, 110), 90, 2),
        lambda draw: draw.ellipse((30, 20, 90, 100), outline=60, width=3),
        lambda draw: draw.rectangle((0, 0, SIDE - 1, SIDE - 1), outline=0, width=3),
        lambda draw: draw.text((SIDE // 2, SIDE // 2), "A", 80, font, anchor="mm"),
        lambda draw: draw.text((SIDE // 2, SIDE // 2), "x", 180, font, anchor="mm"),
    )
    for ground, draw in product((222, 240, 255), shapes):
        image = Image.new("L", (SIDE, SIDE), ground)
        draw(ImageDraw.Draw(image))
        yield from map(partial(PicturePair, "drawings on white", canonical=_png(image)), _written(image))
    for seed in range(10):
        gray = draw_portrait(("female", "male")[seed % 2], seed).convert("L")
        yield from map(partial(PicturePair, "portraits in gray", canonical=_png(gray)), _written(gray))


def _written(gray: Image.Image) -> Iterator[bytes]:
    yield pillow(gray, "PNG")
    yield pillow(gray, "BMP")
    yield pillow(gray.convert("RGB"), "WEBP", lossless=True)
