"""PNG from PIL images and arrays. Imported only with Pillow installed."""

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from genderclient._exceptions import InvalidAvatar

_PNG_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_CONVERSIONS: Final = {"La": "LA", "PA": "RGBA", "RGBa": "RGBA"}


def png_from_array(array: NDArray[np.uint8]) -> bytes:
    return png_from_image(Image.fromarray(array))


def png_from_image(image: Image.Image) -> bytes:
    """Applies the EXIF orientation, which PNG would lose, and converts color modes that PNG does not have."""
    png = io.BytesIO()
    try:
        drawable = _to_png_mode(ImageOps.exif_transpose(image))
        # The server ignores color profiles.
        drawable.save(png, "PNG", compress_level=1, icc_profile=None)
    except Exception as exc:
        # Pillow opens lazily: decoders raise errors of any type here, with parts of the file in their messages.
        reason = f"{type(exc).__name__} while reading"
        message = f"avatar: Pillow cannot encode this image: {reason}; check that its file is complete and open"
        raise InvalidAvatar(message) from None
    return png.getvalue()


def _to_png_mode(image: Image.Image) -> Image.Image:
    if image.mode in _PNG_MODES:
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _gray(np.asarray(image), wide=image.mode.startswith("I;16"))
    if image.mode == "LAB":
        from PIL import ImageCms

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted
        return converted
    return image.convert(_CONVERSIONS.get(image.mode, "RGB"))


def _gray(levels: NDArray[Any], *, wide: bool) -> Image.Image:
    """Returns 16-bit gray if `levels` [H, W] has values over 255, else 8-bit gray. Pillow would clip 16 bits to 8."""
    finite = np.nan_to_num(levels)
    wide = wide or bool(finite.max(initial=0) > 255)
    clipped = np.clip(finite, 0, 65535 if wide else 255)
    return Image.fromarray(clipped.astype(np.uint16 if wide else np.uint8))
