"""From the bytes of an avatar to the pixels that the image tower sees.

Whatever the bytes, that takes less than a second and 256 MB: the limits of `contract` bound what is sent, those here
what decoders make of it. They say nothing about the pixels that come out, so no weights depend on them.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, JpegImagePlugin, UnidentifiedImageError

from .errors import AvatarFault, InvalidAvatar
from .limits import AVATAR_FORMATS, MAX_AVATAR_BYTES, MAX_AVATAR_PIXELS
from .tensors import IMAGE_SIZE, RESIZE_FILTER

Pixels = NDArray[np.uint8]

# A picture in colour is in memory twice, at four bytes a pixel; one of 16 bits is nearly as large.
MAX_COLOUR_PIXELS: Final = 20 * 10**6
_COLOURLESS: Final = ("1", "L", "P")
# Pillow's WebP decoder holds 16 bytes a pixel.
MAX_WEBP_PIXELS: Final = 10 * 10**6
# Decoded in Python.
MAX_RLE_PIXELS: Final = 4 * 10**6
# Progressive or otherwise in several scans: libjpeg then holds up to 12 bytes a pixel and goes over all in every scan.
MAX_PROGRESSIVE_PIXELS: Final = 13 * 10**6
MAX_SCANNED_PIXELS: Final = 400 * 10**6
# Reads by a decoder, which are pieces of the file: chunks, segments, blocks, runs.
MAX_PIECES: Final = 2**18
# A longer block of tags is not looked into: one of its values may have a million numbers.
MAX_EXIF_BYTES: Final = 2**18

# Larger pictures are turned and converted in parts: three copies of them would be too many.
_BAND_PIXELS: Final = 10**6
_FILTER: Final = Image.Resampling[RESIZE_FILTER.upper()]
_WHITE: Final = (255, 255, 255, 255)
# How to undo each value of EXIF's orientation tag.
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Whose first row is the stored picture's last one, or its last column.
_FROM_THE_END: Final = (3, 4, 7, 8)
_SIDEWAYS: Final = (5, 6, 7, 8)
# A marker of a JPEG that is followed by a length; inside of a scan FF stands before 0 and restart markers only.
_SEGMENT: Final = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")
_JPEG, _SCAN, _END = b"\xff\xd8\xff", b"\xda", b"\xd9"


def prepare_image(avatar: bytes, size: int = IMAGE_SIZE) -> tuple[Pixels, bool]:
    """Decode an encoded avatar (JPEG, PNG, WebP, GIF or BMP; the first frame of an animation).

    Returns the largest centred square as pixels, uint8 [S, S, 3] RGB, and whether there is an avatar at
    all: empty bytes and the grey default avatar count as missing. `size` is S; experiments may train at
    another than is served.

    Raises:
        InvalidAvatar: not an image, truncated, or over the limits of `contract` and of this file.
    """
    if not avatar:
        return np.zeros((size, size, 3), np.uint8), False
    pixels = np.asarray(_decode(avatar, size))
    return pixels, not is_default_avatar(pixels)


def is_default_avatar(pixels: Pixels) -> bool:
    """Whether a picture is only a light grey silhouette on a light grey ground, as platforms hand out.

    Such a picture has no colour and at most two flat levels, both light; a photograph has neither.
    """
    # Nearly every picture shows its colour in a few pixels already: this is half the time of a small avatar.
    if _has_colour(pixels[::8, ::8]) or _has_colour(pixels):
        return False
    green = pixels[..., 1].ravel()
    levels = np.bincount(green, minlength=256)
    share_of_level = np.convolve(levels, np.ones(9), mode="same") / len(green)
    first = int(share_of_level.argmax())
    rest = share_of_level.copy()
    rest[max(0, first - 8) : first + 9] = 0
    second = int(rest.argmax())
    light = first >= 128 and (second >= 128 or rest[second] < 0.02)
    return light and bool(share_of_level[first] + rest[second] >= 0.9)


def _has_colour(pixels: Pixels) -> bool:
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return bool((spread > 8).any())


def _decode(avatar: bytes, size: int) -> Image.Image:
    if len(avatar) > MAX_AVATAR_BYTES:
        raise InvalidAvatar(AvatarFault.TOO_MANY_BYTES, f"{len(avatar)} bytes, the limit is {MAX_AVATAR_BYTES}")
    try:
        image = _open(avatar)
        _check_pixels(image, avatar)
        # JPEG only: decode at the smallest eighth that still leaves twice the pixels to resize from.
        image.draft(None, (2 * size, 2 * size))
        _check_colour(image)
        image.load()
        return ImageOps.fit(_converted(image, _orientation(image)), (size, size), method=_FILTER)
    except InvalidAvatar:
        raise
    except UnidentifiedImageError as exc:
        message = f"not an image; send the bytes of a {', '.join(AVATAR_FORMATS)} file"
        raise InvalidAvatar(AvatarFault.NOT_AN_IMAGE, message) from exc
    except Image.DecompressionBombError as exc:
        message = f"too many pixels, the limit is {MAX_AVATAR_PIXELS}"
        raise InvalidAvatar(AvatarFault.TOO_MANY_PIXELS, message) from exc
    except Exception as exc:
        # Decoders meet hostile bytes here and raise whatever they like: struct, zlib, OS and syntax errors.
        message = f"the image is damaged or truncated ({type(exc).__name__})"
        raise InvalidAvatar(AvatarFault.DAMAGED, message) from exc


class _File(BytesIO):
    """An avatar that can be read only so often: Pillow would follow megabytes of empty pieces for seconds."""

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads += 1
        if self._reads > MAX_PIECES:
            raise _too_many_pieces()
        return super().read(size)


class _Jpeg(JpegImagePlugin.JpegImageFile):
    """Pillow looks into the tags of a JPEG already while it opens it."""

    def getexif(self) -> Image.Exif:
        return super().getexif() if _has_modest_tags(self) else Image.Exif()


def _open(avatar: bytes) -> Image.Image:
    file = _File(avatar)
    return _Jpeg(file) if avatar.startswith(_JPEG) else Image.open(file, formats=AVATAR_FORMATS)


def _check_pixels(image: Image.Image, avatar: bytes) -> None:
    (width, height), pixels = image.size, image.width * image.height
    if pixels > MAX_AVATAR_PIXELS:
        message = f"{width}x{height} pixels, the limit is {MAX_AVATAR_PIXELS} in all"
        raise InvalidAvatar(AvatarFault.TOO_MANY_PIXELS, message)
    limit, kind = MAX_AVATAR_PIXELS, ""
    if image.format == "WEBP":
        limit, kind = MAX_WEBP_PIXELS, "WebP"
    elif image.format == "BMP" and image.info["compression"] in (1, 2):
        limit, kind = MAX_RLE_PIXELS, "run-length encoded BMP"
    elif isinstance(image, _Jpeg) and (scans := _scans(avatar, image)) > 1:
        limit, kind = min(MAX_PROGRESSIVE_PIXELS, MAX_SCANNED_PIXELS // scans), f"JPEG in {scans} scans"
    if pixels > limit:
        message = f"{width}x{height} pixels, the limit for a {kind} is {limit} in all"
        raise InvalidAvatar(AvatarFault.TOO_MANY_PIXELS, message)


def _check_colour(image: Image.Image) -> None:
    if image.mode not in _COLOURLESS and image.width * image.height > MAX_COLOUR_PIXELS:
        message = f"{image.width}x{image.height} pixels in colour or 16 bits, the limit is {MAX_COLOUR_PIXELS} in all"
        raise InvalidAvatar(AvatarFault.TOO_MANY_PIXELS, message)


def _too_many_pieces() -> InvalidAvatar:
    return InvalidAvatar(AvatarFault.TOO_MANY_PIECES, f"the file is in too many pieces, the limit is {MAX_PIECES}")


def _scans(avatar: bytes, image: _Jpeg) -> int:
    """How often the decoder of a JPEG goes over all pixels."""
    assert image.fp is not None
    # Pillow has read as far as the head of the first scan.
    scans, position = 1, image.fp.tell()
    for _ in range(MAX_PIECES):
        marker = _SEGMENT.search(avatar, position)
        if marker is None or marker[1] == _END:
            return scans
        scans += marker[1] == _SCAN
        position = marker.end() + int.from_bytes(avatar[marker.end() : marker.end() + 2], "big")
    raise _too_many_pieces()


def _has_modest_tags(image: Image.Image) -> bool:
    return all(len(image.info.get(name, b"")) <= MAX_EXIF_BYTES for name in ("exif", "Raw profile type exif"))


def _orientation(image: Image.Image) -> int:
    """How the stored picture is turned, 1 to 8 as EXIF has it; damaged tags say nothing."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1) if _has_modest_tags(image) else 1
        return int(orientation) if orientation in _TURNS else 1
    except Exception:
        return 1


def _converted(image: Image.Image, orientation: int) -> Image.Image:
    """The upright picture in RGB."""
    if image.width * image.height <= _BAND_PIXELS:
        return _to_rgb(_upright(image, orientation))
    picture, row = Image.new("RGB", image.size[::-1] if orientation in _SIDEWAYS else image.size), 0
    for band in _bands(image, orientation):
        picture.paste(band, (0, row))
        row += band.height
    return picture


def _bands(image: Image.Image, orientation: int) -> Iterator[Image.Image]:
    """The upright picture in RGB from top to bottom, some rows at a time."""
    sideways = orientation in _SIDEWAYS
    length, across = image.size if sideways else image.size[::-1]
    step = max(1, _BAND_PIXELS // across)
    starts = range(0, length, step)
    for start in reversed(starts) if orientation in _FROM_THE_END else starts:
        end = min(start + step, length)
        band = image.crop((start, 0, end, across) if sideways else (0, start, across, end))
        yield _to_rgb(_upright(band, orientation))


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image if orientation == 1 else image.transpose(_TURNS[orientation])


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image).convert("RGB")
    return image.convert("RGB")
