"""Decode avatars: encoded bytes in, the pixels that the image tower reads out.

Any input takes less than a second and 256 MB. `limits.py` bounds what a request may send; the constants here bound what
a decoder may make of it. Neither changes a pixel, so no weights depend on them.
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

Pixels = NDArray[np.uint8]  # [S, S, 3], RGB

# A color picture is held twice, at four bytes a pixel; a 16-bit one is nearly as large.
MAX_COLOR_PIXELS: Final = 20 * 10**6
_COLORLESS: Final = ("1", "L", "P")
# Pillow's WebP decoder holds 16 bytes a pixel.
MAX_WEBP_PIXELS: Final = 10 * 10**6
# Pillow decodes run-length encoded BMP in Python.
MAX_RLE_PIXELS: Final = 4 * 10**6
# For a JPEG in several scans, libjpeg holds up to 12 bytes a pixel and visits every pixel in every scan.
MAX_PROGRESSIVE_PIXELS: Final = 13 * 10**6
MAX_SCANNED_PIXELS: Final = 400 * 10**6
# Reads by a decoder: one for each chunk, segment, block or run of the file.
MAX_PIECES: Final = 2**18
# A longer EXIF block is ignored: one tag may hold a million numbers.
MAX_EXIF_BYTES: Final = 2**18

# Larger pictures are rotated and converted band by band, to avoid three full copies.
_BAND_PIXELS: Final = 10**6
_FILTER: Final = Image.Resampling[RESIZE_FILTER.upper()]
_WHITE: Final = (255, 255, 255, 255)
# The transposition that undoes each value of EXIF's orientation tag.
_TURNS: Final = {
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
# A JPEG marker that a length follows. Inside a scan, FF precedes only 0 and restart markers.
_SEGMENT: Final = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")
_JPEG, _SCAN, _END = b"\xff\xd8\xff", b"\xda", b"\xd9"


def prepare_image(avatar: bytes, size: int = IMAGE_SIZE) -> tuple[Pixels, bool]:
    """Decode an encoded avatar to the largest centered square.

    Args:
        avatar: The bytes of a JPEG, PNG, WebP, GIF or BMP file; only the first frame of an animation is decoded.
        size: The side S of the result. Experiments may train at a size other than the served one.

    Returns:
        Pixels, uint8 [S, S, 3] RGB, and whether an avatar is present. Empty bytes and the gray default avatar count as
        missing.

    Raises:
        InvalidAvatar: `avatar` is not an image, is damaged, or exceeds a limit of `limits.py` or of this module.
    """
    if not avatar:
        return np.zeros((size, size, 3), np.uint8), False
    pixels = np.asarray(_decode(avatar, size))
    return pixels, not is_default_avatar(pixels)


def is_default_avatar(pixels: Pixels) -> bool:
    """Whether a picture is a platform's placeholder: a light gray silhouette on a light gray ground.

    Such a picture has no color and at most two flat levels, both light; a photograph has more.

    Args:
        pixels: uint8 [S, S, 3].
    """
    # A few pixels already show the color of nearly every picture, which halves the time of a small avatar.
    if _has_color(pixels[::8, ::8]) or _has_color(pixels):
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


def _has_color(pixels: Pixels) -> bool:
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
        _check_color(image)
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
        # On malformed bytes, decoders raise errors of any type: struct, zlib, OS and syntax errors.
        message = f"the image is damaged or truncated ({type(exc).__name__})"
        raise InvalidAvatar(AvatarFault.DAMAGED, message) from exc


class _File(BytesIO):
    """A file with a limit on reads: Pillow would follow megabytes of empty pieces for seconds."""

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads += 1
        if self._reads > MAX_PIECES:
            raise _too_many_pieces()
        return super().read(size)


class _Jpeg(JpegImagePlugin.JpegImageFile):
    """A JPEG whose oversized tags are ignored already on opening, when Pillow reads them."""

    def getexif(self) -> Image.Exif:
        return super().getexif() if _has_small_exif(self) else Image.Exif()


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


def _check_color(image: Image.Image) -> None:
    if image.mode not in _COLORLESS and image.width * image.height > MAX_COLOR_PIXELS:
        message = f"{image.width}x{image.height} pixels in color or 16 bits, the limit is {MAX_COLOR_PIXELS} in all"
        raise InvalidAvatar(AvatarFault.TOO_MANY_PIXELS, message)


def _too_many_pieces() -> InvalidAvatar:
    return InvalidAvatar(AvatarFault.TOO_MANY_PIECES, f"the file is in too many pieces, the limit is {MAX_PIECES}")


def _scans(avatar: bytes, image: _Jpeg) -> int:
    """The number of scans of a JPEG; the decoder visits every pixel in each."""
    assert image.fp is not None
    # Pillow has read up to the header of the first scan.
    scans, position = 1, image.fp.tell()
    for _ in range(MAX_PIECES):
        marker = _SEGMENT.search(avatar, position)
        if marker is None or marker[1] == _END:
            return scans
        scans += marker[1] == _SCAN
        position = marker.end() + int.from_bytes(avatar[marker.end() : marker.end() + 2], "big")
    raise _too_many_pieces()


def _has_small_exif(image: Image.Image) -> bool:
    return all(len(image.info.get(name, b"")) <= MAX_EXIF_BYTES for name in ("exif", "Raw profile type exif"))


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 if the tags are damaged."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1) if _has_small_exif(image) else 1
        return int(orientation) if orientation in _TURNS else 1
    except Exception:
        return 1


def _converted(image: Image.Image, orientation: int) -> Image.Image:
    """Rotate upright and convert to RGB."""
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
    return image if orientation == 1 else image.transpose(_TURNS[orientation])


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image).convert("RGB")
    return image.convert("RGB")
