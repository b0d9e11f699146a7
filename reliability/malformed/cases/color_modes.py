"""Valid images in every color mode, bit depth and coding. All of them must be answered."""

from collections.abc import Iterator
from functools import partial
from itertools import product

from PIL import Image

from . import encode
from .case import Case, Content, Expected, cases_of

DEPTHS = {
    encode.GREY: (1, 2, 4, 8, 16),
    encode.RGB: (8, 16),
    encode.PALETTE: (1, 2, 4, 8),
    encode.GREY_ALPHA: (8, 16),
    encode.RGBA: (8, 16),
}
SIZES = ((1, 1), (1, 64), (64, 1), (7, 13), (64, 64), (1, 5000), (5000, 1))
PILLOW_MODES = ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "I;16", "PA")


def cases() -> Iterator[Case]:
    yield from cases_of("modes", _png() | _pillow_modes() | _jpeg(), Expected.ANSWER)


def _png() -> dict[str, Content]:
    files: dict[str, Content] = {}
    for color, depths in DEPTHS.items():
        for bits, interlace, (width, height) in product(depths, (0, 1), SIZES):
            name = f"PNG, color type {color}, {bits} bits, {'interlaced, ' * interlace}{width}x{height}"
            files[name] = partial(encode.png, width, height, bits, color, interlace)
    for grey in (0, 65_535):
        transparency = encode.chunk(b"tRNS", grey.to_bytes(2, "big"))
        files[f"PNG, 16 bits, {grey} transparent"] = encode.png(8, 8, 16, encode.GREY, extra=transparency)
    return files


def _pillow_modes() -> dict[str, Content]:
    """Every mode that Pillow can write in each format."""
    files: dict[str, Content] = {}
    for mode, image_format in product(PILLOW_MODES, ("PNG", "JPEG", "GIF", "BMP", "WEBP")):
        try:
            files[f"{image_format}, {mode}"] = encode.pillow(Image.new(mode, (48, 40)), image_format)
        except (OSError, ValueError, KeyError):
            continue
    return files


def _jpeg() -> dict[str, Content]:
    jpeg = partial(encode.pillow, encode.noise(), "JPEG")
    files: dict[str, Content] = {
        f"JPEG, subsampling {subsampling}{', progressive' * progressive}": jpeg(
            subsampling=subsampling, progressive=progressive
        )
        for subsampling, progressive in product((0, 1, 2), (False, True))
    }
    files |= {f"JPEG, quality {quality}": jpeg(quality=quality) for quality in (1, 100)}
    return files | {"JPEG, YCCK": _ycck(), "JPEG, RGB by component ids": jpeg(keep_rgb=True)}


def _ycck() -> bytes:
    """Return a CMYK JPEG whose Adobe segment declares YCCK."""
    jpeg = encode.pillow(encode.noise().convert("CMYK"), "JPEG")
    return encode.patched(jpeg, jpeg.index(b"Adobe") + 11, b"\2")
