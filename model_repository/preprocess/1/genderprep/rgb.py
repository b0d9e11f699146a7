"""Convert decoded pictures of every mode and orientation to upright RGB over white."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image, ImageFile

# Larger pictures are rotated and converted band by band, to avoid three full copies.
_BAND_PIXELS: Final = 10**6
_WHITE: Final = (255, 255, 255, 255)
# The transposition that undoes each value of EXIF's orientation tag.
TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Orientations whose first upright row is the last stored row or column.
_FROM_THE_END: Final = (3, 4, 7, 8)
_SIDEWAYS: Final = (5, 6, 7, 8)
# The step between two grays of a PNG's raw mode, once decoded.
_LEVEL_OF_GRAY: Final = {"L;2": 85, "L;4": 17}


def scale_transparency(image: Image.Image) -> None:
    """Scale the transparent color of a PNG as its decoder scales the pixels; call it before the picture is loaded.

    Pillow leaves the color as the file has it, so that a gray of 2 or 4 bits or a color of 16 would match no pixel.
    """
    if isinstance(image, ImageFile.ImageFile) and image.tile and "transparency" in image.info:
        raw_mode, color = image.tile[0].args, image.info["transparency"]
        if raw_mode in _LEVEL_OF_GRAY:
            image.info["transparency"] = color * _LEVEL_OF_GRAY[raw_mode]
        elif raw_mode == "RGB;16B":
            image.info["transparency"] = tuple(value >> 8 for value in color)


def to_upright_rgb(image: Image.Image, orientation: int) -> Image.Image:
    """Rotate a decoded picture upright, put it over white and convert it to RGB.

    Args:
        image: A loaded picture of any mode that Pillow's decoders give.
        orientation: EXIF's orientation, 1 to 8.
    """
    if image.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        # A bitmap whose alpha is 0 everywhere has no alpha channel: viewers show it opaque.
        image = image.convert("RGB")
    if image.width * image.height <= _BAND_PIXELS:
        return _to_rgb(_upright(image, orientation))
    picture, row = Image.new("RGB", image.size[::-1] if orientation in _SIDEWAYS else image.size), 0
    for band in _bands(image, orientation):
        picture.paste(band, (0, row))
        row += band.height
    return picture


def _bands(image: Image.Image, orientation: int) -> Iterator[Image.Image]:
    """Yield the upright picture in RGB from top to bottom, some rows at a time."""
    sideways = orientation in _SIDEWAYS
    length, across = image.size if sideways else image.size[::-1]
    step = max(1, _BAND_PIXELS // across)
    starts = range(0, length, step)
    for start in reversed(starts) if orientation in _FROM_THE_END else starts:
        end = min(start + step, length)
        band = image.crop((start, 0, end, across) if sideways else (0, start, across, end))
        yield _to_rgb(_upright(band, orientation))


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image if orientation == 1 else image.transpose(TURNS[orientation])


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _from_16_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image).convert("RGB")
    return image.convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Gray of 16 bits, in Pillow's modes `I` and `I;16…`; the transparent level of a PNG becomes white."""
    levels = np.asarray(image)
    gray = (levels >> 8).astype(np.uint8)
    if (transparent := image.info.get("transparency")) is not None:
        gray[levels == transparent] = 255
    return Image.fromarray(gray).convert("RGB")
