"""Decode avatars: encoded bytes in, the pixels that the image tower reads out.

Any input takes less than a second and 256 MB. `limits.py` bounds what a request may send; the constants here bound what
a decoder may make of it. Neither changes a pixel, so no weights depend on them.
"""

import re
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, JpegImagePlugin, UnidentifiedImageError

from .errors import AvatarFault, InvalidAvatar
from .limits import AVATAR_FORMATS, MAX_AVATAR_BYTES, MAX_AVATAR_PIXELS
from .placeholder import is_placeholder
from .rgb import TURNS, scale_transparency, to_upright_rgb
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

# A JPEG without end marker is decoded three times, so it may have fewer pixels.
_MAX_UNENDED_PIXELS: Final = 4 * 10**6
_FILTER: Final = Image.Resampling[RESIZE_FILTER.upper()]
# A JPEG marker that a length follows. Inside a scan, FF precedes only 0 and restart markers.
_SEGMENT: Final = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")
_JPEG, _SCAN, _END = b"\xff\xd8\xff", b"\xda", b"\xd9"


def prepare_image(avatar: bytes, size: int = IMAGE_SIZE) -> tuple[Pixels, bool]:
    """Decode an encoded avatar to the largest centered square.

    Args:
        avatar: The bytes of a JPEG, PNG, WebP, GIF or BMP file; only the first frame of an animation is decoded.
        size: The side S of the result. Experiments may train at a size other than the served one.

    Returns:
        Pixels, uint8 [S, S, 3] RGB, and whether an avatar is present. Empty bytes and a platform's placeholder count as
        missing.

    Raises:
        InvalidAvatar: `avatar` is not an image, is damaged, or exceeds a limit of `limits.py` or of this module.
    """
    if not avatar:
        return np.zeros((size, size, 3), np.uint8), False
    pixels = np.asarray(_decode(avatar, size))
    return pixels, not is_placeholder(pixels)


def _decode(avatar: bytes, size: int) -> Image.Image:
    if len(avatar) > MAX_AVATAR_BYTES:
        raise InvalidAvatar(AvatarFault.TOO_MANY_BYTES, f"{len(avatar)} bytes, the limit is {MAX_AVATAR_BYTES}")
    try:
        return _fit(avatar, size)
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
        if (image := _fit_without_end_marker(avatar, size)) is not None:
            return image
        message = f"the image is damaged or truncated ({type(exc).__name__})"
        raise InvalidAvatar(AvatarFault.DAMAGED, message) from exc


def _fit(avatar: bytes, size: int) -> Image.Image:
    image = _open(avatar)
    _check_pixels(image, avatar)
    # JPEG only: decode at the smallest eighth that still leaves twice the pixels to resize from.
    image.draft(None, (2 * size, 2 * size))
    _check_color(image)
    scale_transparency(image)
    image.load()
    return ImageOps.fit(to_upright_rgb(image, _orientation(image)), (size, size), method=_FILTER)


def _fit_without_end_marker(avatar: bytes, size: int) -> Image.Image | None:
    """Decode a JPEG that lacks only its end marker; None if pixels are missing too.

    After the last pixel, further bytes change nothing; before it, the decoder would take them for pixels.
    """
    if not avatar.startswith(_JPEG):
        return None
    try:
        width, height = _open(avatar).size
        if width * height > _MAX_UNENDED_PIXELS:
            return None
        image, filled = (_fit(avatar.rstrip(b"\xff") + filler + b"\xff\xd9", size) for filler in (b"", b"\x55" * 16))
    except Exception:
        return None
    return image if image.tobytes() == filled.tobytes() else None


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
        return int(orientation) if orientation in TURNS else 1
    except Exception:
        return 1
