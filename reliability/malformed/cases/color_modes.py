"""Valid pictures of every odd mode, depth and coding: all of them must be answered."""

from collections.abc import Iterator
from functools import partial
from itertools import product

from PIL import Image

from . import Case, Expected
from . import encode as e

DEPTHS = {e.GREY: (1, 2, 4, 8, 16), e.RGB: (8, 16), e.PALETTE: (1, 2, 4, 8), e.GREY_ALPHA: (8, 16), e.RGBA: (8, 16)}
SIZES = ((1, 1), (1, 64), (64, 1), (7, 13), (64, 64), (1, 5000), (5000, 1))


def cases(seed: int) -> Iterator[Case]:
    for colour, depths in DEPTHS.items():
        for bits, interlace, (width, height) in product(depths, (0, 1), SIZES):
            name = f"PNG, colour type {colour}, {bits} bits, {'interlaced, ' * interlace}{width}x{height}"
            yield Case("modes", name, partial(e.png, width, height, bits, colour, interlace), Expected.ANSWER)
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "I;16", "PA"):
        for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP"):
            if _writes(kind, mode):
                yield Case("modes", f"{kind}, {mode}", partial(_of_mode, kind, mode), Expected.ANSWER)
    for subsampling, progressive in product((0, 1, 2), (False, True)):
        options = {"subsampling": subsampling, "progressive": progressive}
        yield Case("modes", f"JPEG, {options}", partial(_jpeg, **options), Expected.ANSWER)
    for quality in (1, 100):
        yield Case("modes", f"JPEG, quality {quality}", partial(_jpeg, quality=quality), Expected.ANSWER)
    yield Case("modes", "JPEG, YCCK", _ycck, Expected.ANSWER)
    yield Case("modes", "JPEG, RGB by its components' names", partial(_jpeg, keep_rgb=True), Expected.ANSWER)
    for transparency in (0, 65_535):
        picture = partial(e.png, 8, 8, 16, e.GREY, extra=e.chunk(b"tRNS", transparency.to_bytes(2, "big")))
        yield Case("modes", f"PNG, 16 bits, {transparency} transparent", picture, Expected.ANSWER)


def _writes(kind: str, mode: str) -> bool:
    try:
        _of_mode(kind, mode)
    except (OSError, ValueError, KeyError):
        return False
    return True


def _of_mode(kind: str, mode: str) -> bytes:
    return e.encoded(Image.new(mode, (48, 40)), kind)


def _jpeg(**options: object) -> bytes:
    return e.encoded(e.noise(), "JPEG", **options)


def _ycck() -> bytes:
    """CMYK whose Adobe segment says that three of the four are YCbCr."""
    jpeg = e.encoded(e.noise().convert("CMYK"), "JPEG")
    place = jpeg.index(b"Adobe") + 11
    return jpeg[:place] + b"\2" + jpeg[place + 1 :]
