"""Small files that decode to many pixels, at and above the limits, and files that are slow to decode."""

from collections.abc import Iterator
from functools import partial
from itertools import product

from PIL import Image

from . import encode
from .case import Case, Content, Expected, cases_of

# The most pixels that are allowed: square, and with the longest rows and columns.
LARGE = ((5656, 5656), (16_000, 2000), (2000, 16_000), (65_500, 488), (488, 65_500))
TOO_LARGE = ((5657, 5657), (8000, 4001), (20_000, 20_000), (65_535, 65_535))
# The largest image of each kind that `genderprep.image` accepts. One row more is refused.
EDGES = {"color": (5000, 4000), "WebP": (2500, 4000), "progressive": (52_000, 250), "run-length": (2000, 2000)}
RLE_CODES = {
    "end of row": b"\x01\0\0\0",
    "runs": b"\xff\1",
    "short runs": b"\1\1",
    "jumps": b"\0\2\xff\xff",
    "copies": b"\0\3" + bytes(4),
}
PNG_FORMATS = (
    *((encode.GREY, 1), (encode.GREY, 16), (encode.RGB, 8), (encode.RGB, 16)),
    *((encode.PALETTE, 8), (encode.RGBA, 8), (encode.RGBA, 16)),
)


def cases() -> Iterator[Case]:
    yield from cases_of("bombs", _large_png() | _large_jpeg() | _gif() | _webp() | _bmp())
    yield from cases_of("bombs", _too_large(), Expected.REFUSAL)
    yield from cases_of("edges", _edges(extra_rows=0), Expected.ANSWER)
    yield from cases_of("edges", _edges(extra_rows=1), Expected.REFUSAL)
    yield from cases_of("scans", _scans())


def _large_png() -> dict[str, Content]:
    files: dict[str, Content] = {}
    for (color, bits), interlace, (width, height) in product(PNG_FORMATS, (0, 1), LARGE[:2]):
        name = f"PNG, color type {color}, {bits} bits, {'interlaced, ' * interlace}{width}x{height}"
        files[name] = partial(encode.png, width, height, bits, color, interlace)
    for width, height in LARGE:
        files[f"PNG, {width}x{height}"] = partial(encode.png, width, height, 8, encode.RGBA)
    files["PNG, 8x8 and 2 GB of further data"] = lambda: encode.png(8, 8, data=encode.deflated_zeros(2 * 10**9))
    return files


def _large_jpeg() -> dict[str, Content]:
    return {
        f"JPEG, {mode}, {'progressive, ' * progressive}{width}x{height}": partial(
            _jpeg, width, height, mode, progressive
        )
        for (width, height), mode, progressive in product(LARGE, ("L", "RGB", "CMYK"), (False, True))
    }


def _gif() -> dict[str, Content]:
    return {
        **{f"GIF, {width}x{height}": partial(_gif_of, width, height) for width, height in LARGE},
        "GIF, 8x8 and 32 million further pixels": lambda: encode.gif(8, 8, encode.gif_frame(8, 8, _many_pixels())),
        "GIF, transparent": partial(_gif_of, 5656, 5656, control=b"!\xf9\4\1\0\0\0\0"),
        "GIF, 1x1 frame on a large screen": encode.gif(5656, 5656, encode.gif_frame(1, 1, encode.lzw_zeros(1))),
    }


def _webp() -> dict[str, Content]:
    files: dict[str, Content] = {"WEBP, tiny frame on a large canvas": encode.animated_webp(5656, 5656, 1)}
    sizes = ((5656, 5656), (16_383, 1953), (1953, 16_383), (4000, 4000))
    for (width, height), lossless in product(sizes, (True, False)):
        name = f"WEBP, {'lossless' if lossless else 'lossy'}, {width}x{height}"
        files[name] = partial(_webp_of, width, height, lossless)
    return files


def _bmp() -> dict[str, Content]:
    files: dict[str, Content] = {
        f"BMP, {bits} bits, {width}x{height}": partial(encode.bmp, width, height, bits, bytes(8_000_000))
        for (width, height), bits in product(LARGE, (1, 4, 8))
    }
    sizes = ((5656, 5656), (16_000, 2000), (2, 10**7))
    for (name, code), bits, (width, height) in product(RLE_CODES.items(), (4, 8), sizes):
        data = code * (9_000_000 // len(code))
        files[f"BMP, RLE{bits}, {name}, {width}x{height}"] = partial(encode.bmp_rle, width, height, bits, data)
    return files


def _too_large() -> dict[str, Content]:
    files: dict[str, Content] = {"WEBP, tiny frame on the largest canvas": encode.animated_webp(2**14, 2**14, 1)}
    for width, height in TOO_LARGE:
        # The declared size alone is over the limit, so the data may be short.
        files[f"PNG, {width}x{height}"] = partial(encode.png, width, height, data=encode.deflated_zeros(10**8))
        files[f"GIF, {width}x{height}"] = partial(encode.gif, width, height, _many_pixels())
    return files


def _edges(extra_rows: int) -> dict[str, Content]:
    makers = {"color": _rgba_png, "WebP": _webp_of, "progressive": _jpeg, "run-length": _full_rle}
    return {
        f"{name}, {width}x{height + extra_rows}": partial(makers[name], width, height + extra_rows)
        for name, (width, height) in EDGES.items()
    }


def _scans() -> dict[str, Content]:
    """Progressive JPEGs with many scans: each scan visits every pixel, however short it is."""
    return {
        f"JPEG, {side}x{side}, {scans:,} scans": partial(_repeated_scan, side, side, scans)
        for side, scans in product((5656, 2000, 256), (20, 100, 1000, 10_000))
    }


def _jpeg(width: int, height: int, mode: str = "CMYK", progressive: bool = True) -> bytes:
    return encode.pillow(Image.new(mode, (width, height)), "JPEG", progressive=progressive)


def _repeated_scan(width: int, height: int, count: int) -> bytes:
    """Repeat the last scan of a progressive JPEG, up to 10 MB."""
    jpeg = _jpeg(width, height, "RGB")
    scan = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + min(count, 10_000_000 // (len(jpeg) - scan)) * jpeg[scan:-2] + jpeg[-2:]


def _rgba_png(width: int, height: int) -> bytes:
    return encode.png(width, height, 8, encode.RGBA)


def _gif_of(width: int, height: int, control: bytes = b"") -> bytes:
    return encode.gif(width, height, control + encode.gif_frame(width, height, encode.lzw_zeros(width * height)))


def _many_pixels() -> bytes:
    return encode.lzw_zeros(32_000_000)


def _webp_of(width: int, height: int, lossless: bool = True) -> bytes:
    return encode.pillow(Image.new("RGB", (width, height)), "WEBP", lossless=lossless, quality=0, method=0)


def _full_rle(width: int, height: int) -> bytes:
    return encode.bmp_rle(width, height, 8, (b"\xfa\1" * (width // 250) + b"\0\0") * height)
