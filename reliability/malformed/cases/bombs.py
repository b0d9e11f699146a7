"""Few bytes that become many pixels, at the limits and above, and little to read that takes long to decode."""

from collections.abc import Iterator
from functools import partial
from itertools import product

from PIL import Image

from . import Case, Expected
from . import encode as e

# What the contract allows in all, as a square and as the longest rows and columns.
LARGE = ((5656, 5656), (16_000, 2000), (2000, 16_000), (65_500, 488), (488, 65_500))
# As far as `genderprep.image` goes with each kind, which has to be answered, and one row more, which is refused.
EDGES = {"colour": (5000, 4000), "WebP": (2500, 4000), "progressive": (52_000, 250), "run-length": (2000, 2000)}
HUGE = ((5657, 5657), (8000, 4001), (20_000, 20_000), (65_535, 65_535))


def cases(seed: int) -> Iterator[Case]:
    for colour, bits in ((e.GREY, 1), (e.GREY, 16), (e.RGB, 8), (e.RGB, 16), (e.PALETTE, 8), (e.RGBA, 8), (e.RGBA, 16)):
        for interlace, (width, height) in product((0, 1), LARGE[:2]):
            name = f"PNG, colour type {colour}, {bits} bits, {'interlaced, ' * interlace}{width}x{height}"
            yield Case("bombs", name, partial(e.png, width, height, bits, colour, interlace))
    for width, height in LARGE:
        yield Case("bombs", f"PNG, {width}x{height}", partial(e.png, width, height, 8, e.RGBA))
        yield Case("bombs", f"GIF, {width}x{height}", partial(_gif, width, height))
        for mode, progressive in product(("L", "RGB", "CMYK"), (False, True)):
            made = partial(_jpeg, width, height, mode, progressive)
            yield Case("bombs", f"JPEG, {mode}, {'progressive, ' * progressive}{width}x{height}", made)
    for width, height in HUGE:
        yield Case("bombs", f"PNG, {width}x{height}", partial(_cut_png, width, height), Expected.REFUSAL)
        yield Case("bombs", f"GIF, {width}x{height}", partial(e.gif, width, height, _gif_bomb()), Expected.REFUSAL)
    yield Case("bombs", "PNG, 8x8 and 2 GB behind", _png_with_more)
    yield Case("bombs", "GIF, 8x8 and 32 million pixels behind", partial(e.gif, 8, 8, e.gif_frame(8, 8, _gif_bomb())))
    yield Case("bombs", "GIF, transparent", partial(_gif, 5656, 5656, transparent=True))
    yield Case("bombs", "GIF, frame of 1x1 on a large screen", partial(e.gif, 5656, 5656, _one_pixel()))
    for (width, height), lossless in product(
        ((5656, 5656), (16_383, 1953), (1953, 16_383), (4000, 4000)), (True, False)
    ):
        made = partial(_webp, width, height, lossless)
        yield Case("bombs", f"WEBP, {'lossless' if lossless else 'lossy'}, {width}x{height}", made)
    yield Case("bombs", "WEBP, tiny frame on the largest canvas", _webp_canvas, Expected.REFUSAL)
    yield Case("bombs", "WEBP, tiny frame on a large canvas", partial(_webp_canvas, 5656))
    yield from _edges()
    yield from _scans()
    yield from _bmps()


def _edges() -> Iterator[Case]:
    for more, expected in ((0, Expected.ANSWER), (1, Expected.REFUSAL)):
        for name, (width, height) in EDGES.items():
            made = partial(_at_edge, name, width, height + more)
            yield Case("edges", f"{name}, {width}x{height + more}", made, expected)


def _at_edge(name: str, width: int, height: int) -> bytes:
    if name == "colour":
        return e.png(width, height, 8, e.RGBA)
    if name == "WebP":
        return _webp(width, height, lossless=True)
    if name == "progressive":
        return _jpeg(width, height, "CMYK", progressive=True)
    return e.bmp(width, height, 8, (b"\xfa\1" * (width // 250) + b"\0\0") * height, compression=1)


def _scans() -> Iterator[Case]:
    """Each scan of a progressive JPEG goes over every pixel, however few bytes it has."""
    for (width, height), scans in product(((5656, 5656), (2000, 2000), (256, 256)), (20, 100, 1000, 10_000)):
        yield Case("scans", f"JPEG, {width}x{height}, {scans:,} scans", partial(_many_scans, width, height, scans))


def _bmps() -> Iterator[Case]:
    for (width, height), bits in product(LARGE, (1, 4, 8)):
        made = partial(e.bmp, width, height, bits, bytes(8_000_000))
        yield Case("bombs", f"BMP, {bits} bits, {width}x{height}", made)
    runs = {
        "end of row": b"\x01\0\0\0",
        "runs": b"\xff\1",
        "short runs": b"\1\1",
        "jumps": b"\0\2\xff\xff",
        "copies": b"\0\3" + bytes(4),
    }
    for (name, code), bits, (width, height) in product(
        runs.items(), (4, 8), ((5656, 5656), (16_000, 2000), (2, 10**7))
    ):
        data = code * (9_000_000 // len(code))
        yield Case("bombs", f"BMP, RLE{bits}, {name}, {width}x{height}", partial(_rle, width, height, bits, data))


def _jpeg(width: int, height: int, mode: str, progressive: bool) -> bytes:
    return e.encoded(Image.new(mode, (width, height)), "JPEG", progressive=progressive)


def _many_scans(width: int, height: int, count: int) -> bytes:
    """The last scan of a progressive JPEG again and again."""
    jpeg = _jpeg(width, height, "RGB", True)
    scan = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + min(count, 10_000_000 // (len(jpeg) - scan)) * jpeg[scan:-2] + jpeg[-2:]


def _gif(width: int, height: int, transparent: bool = False) -> bytes:
    control = b"!\xf9\4\1\0\0\0\0" if transparent else b""
    return e.gif(width, height, control + e.gif_frame(width, height, e.lzw_zeros(width * height)))


def _gif_bomb() -> bytes:
    return e.lzw_zeros(32_000_000)


def _one_pixel() -> bytes:
    return e.gif_frame(1, 1, e.lzw_zeros(1))


def _cut_png(width: int, height: int) -> bytes:
    """Over the limit already, so its data need not be all there."""
    return e.png(width, height, data=e.deflated_zeros(10**8))


def _png_with_more() -> bytes:
    return e.png(8, 8, data=e.deflated_zeros(2 * 10**9))


def _webp(width: int, height: int, lossless: bool) -> bytes:
    return e.encoded(Image.new("RGB", (width, height)), "WEBP", lossless=lossless, quality=0, method=0)


def _webp_canvas(side: int = 2**14) -> bytes:
    image = e.encoded(e.noise(1, 1), "WEBP", lossless=True)
    frame = e.anmf(1, 1, e.webp_image(image))
    return e.riff([e.vp8x(side, side, 0x02), (b"ANIM", bytes(6)), frame])


def _rle(width: int, height: int, bits: int, data: bytes) -> bytes:
    return e.bmp(width, height, bits, data, compression=3 - bits // 4)
