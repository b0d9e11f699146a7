"""Headers that declare extreme widths and heights."""

import struct
import zlib
from collections.abc import Iterator
from functools import partial

from . import encode
from .case import Case, Content, Expected, cases_of
from .valid_files import valid_files

SIDES = (0, 1, 255, 256, 32767, 32768, 65500, 65501, 65535)
PNG_SIZES = ((2**31 - 1, 2**31 - 1), (2**31, 1), (2**32 - 1, 1), (2**32 - 1, 2**32 - 1))
BMP_SIZES = ((-1, 1), (1, -(2**31)), (2**31 - 1, 2**31 - 1), (2**31 - 1, -1))
WEBP_SIZES = ((2**24, 2**24), (2**24, 1), (16384, 16384))


def cases() -> Iterator[Case]:
    for side in SIDES:
        for width, height in sorted({(side, side), (side, 1), (1, side)}):
            yield from cases_of("declared size", _in_every_format(width, height))
    for width, height in WEBP_SIZES:
        yield Case("declared size", f"WEBP, {width}x{height}", _webp(width, height))
    webp = encode.webp_chunk(valid_files()["WEBP"])
    yield Case("declared size", "WEBP, canvas larger than image", encode.riff([encode.vp8x(2000, 2000, 0), webp]))
    yield Case("declared size", "GIF, frame partly outside the screen", _gif_frame(64, left=8))
    yield Case("declared size", "GIF, frame of no pixels", _gif_frame(0))
    must_refuse: dict[str, Content] = {"GIF, frame far outside the screen": _gif_frame(64, left=65000)}
    for width, height in PNG_SIZES:
        must_refuse[f"PNG, {width}x{height}"] = encode.png(width, height, data=b"")
    for width, height in BMP_SIZES:
        must_refuse[f"BMP, {width}x{height}"] = encode.bmp(width, height, 24, b"")
    yield from cases_of("declared size", must_refuse, Expected.REFUSAL)


def _in_every_format(width: int, height: int) -> dict[str, Content]:
    frame = encode.gif_frame(width, height, encode.lzw_zeros(64 * 64))
    return {
        f"JPEG, {width}x{height}": _jpeg(width, height),
        f"PNG, {width}x{height}": partial(encode.png, width, height, data=zlib.compress(bytes(64))),
        f"GIF, {width}x{height}": encode.gif(width, height, frame),
        f"BMP, {width}x{height}": encode.bmp(width, height, 24, bytes(64)),
        f"WEBP, {width}x{height}": _webp(max(width, 1), max(height, 1)),
    }


def _jpeg(width: int, height: int) -> bytes:
    jpeg = valid_files()["JPEG"]
    return encode.patched(jpeg, jpeg.index(b"\xff\xc0") + 5, struct.pack(">HH", height, width))


def _webp(width: int, height: int) -> bytes:
    return encode.riff([encode.vp8x(width, height, 0), encode.webp_chunk(valid_files()["WEBP"])])


def _gif_frame(side: int, left: int = 0) -> bytes:
    """Return a GIF of 8x8 whose frame is `side` pixels square, `left` pixels right of and below the origin."""
    return encode.gif(8, 8, encode.gif_frame(side, side, encode.lzw_zeros(64 * 64), left, left))
