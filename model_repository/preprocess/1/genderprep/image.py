"""From the bytes of an avatar to the pixels that the image tower sees."""

from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from .contract import (
    AVATAR_FORMATS,
    IMAGE_SIZE,
    MAX_AVATAR_BYTES,
    MAX_AVATAR_PIXELS,
    RESIZE_FILTER,
    AvatarFault,
    InvalidAvatar,
)

Pixels = NDArray[np.uint8]

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


def prepare_image(avatar: bytes, size: int = IMAGE_SIZE) -> tuple[Pixels, bool]:
    """Decode an encoded avatar (JPEG, PNG, WebP, GIF or BMP; the first frame of an animation).

    Returns the largest centred square as pixels, uint8 [S, S, 3] RGB, and whether there is an avatar at
    all: empty bytes and the grey default avatar count as missing. `size` is S; experiments may train at
    another than is served.

    Raises:
        InvalidAvatar: not an image, truncated, or over the limits of `contract`.
    """
    if not avatar:
        return np.zeros((size, size, 3), np.uint8), False
    pixels = np.asarray(ImageOps.fit(_decode(avatar, size), (size, size), method=_FILTER))
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
        image = Image.open(BytesIO(avatar), formats=AVATAR_FORMATS)
        _check_pixels(image)
        # JPEG only: decode at the smallest eighth that still leaves twice the pixels to resize from.
        image.draft(None, (2 * size, 2 * size))
        image.load()
        return _to_rgb(_upright(image))
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


def _check_pixels(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_AVATAR_PIXELS:
        message = f"{width}x{height} pixels, the limit is {MAX_AVATAR_PIXELS} in all"
        raise InvalidAvatar(AvatarFault.TOO_MANY_PIXELS, message)


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF tags say; damaged tags say nothing."""
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return image
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image).convert("RGB")
    return image.convert("RGB")
