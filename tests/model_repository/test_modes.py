"""`genderprep.image`: one table of the pixels that each mode, depth and coding gives."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from genderprep import InvalidAvatar, prepare_image
from genderprep.tensors import IMAGE_SIZE
from reliability.malformed.cases.encode import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, bmp, chunk, png
from tests.support.pictures import encode, noise

SIDE = 8
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
Color = tuple[int, int, int]


def raw_png(bits: int, color: int, row: bytes, extra: bytes = b"") -> bytes:
    """A PNG of `SIDE` equal rows; `row` has the packed samples."""
    data = (b"\0" + row) * SIDE
    return png(SIDE, SIDE, bits, color, extra=extra, data=zlib.compress(data))


def bitfields(mask_alpha: int, pixel: bytes) -> bytes:
    """A BMP of 32 bits with channel masks (BITMAPV4HEADER)."""
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, mask_alpha)
    data = pixel * SIDE * SIDE
    info = struct.pack("<IiiHHIIiiII", 108, SIDE, SIDE, 1, 32, 3, len(data), 0, 0, 0, 0) + masks + bytes(52)
    return b"BM" + struct.pack("<IHHI", 14 + len(info) + len(data), 0, 0, 14 + len(info)) + info + data


def palette(*colors: Color, alpha: bytes = b"") -> bytes:
    chunks = chunk(b"PLTE", bytes(value for color in colors for value in color))
    return chunks + (chunk(b"tRNS", alpha) if alpha else b"")


TABLE: dict[str, tuple[bytes, Color]] = {
    "gray, 1 bit": (raw_png(1, GREY, b"\xff"), WHITE),
    "gray, 2 bits": (raw_png(2, GREY, b"\x55" * 2), (85, 85, 85)),
    "gray, 4 bits": (raw_png(4, GREY, b"\x33" * 4), (51, 51, 51)),
    "gray, 8 bits": (raw_png(8, GREY, b"\x33" * 8), (51, 51, 51)),
    "gray, 16 bits": (raw_png(16, GREY, b"\x4d\xff" * 8), (77, 77, 77)),
    "gray, 2 bits, transparent": (raw_png(2, GREY, b"\x55" * 2, chunk(b"tRNS", b"\x00\x01")), WHITE),
    "gray, 4 bits, transparent": (raw_png(4, GREY, b"\x33" * 4, chunk(b"tRNS", b"\x00\x03")), WHITE),
    "gray, 4 bits, another level transparent": (
        raw_png(4, GREY, b"\x33" * 4, chunk(b"tRNS", b"\x00\x01")),
        (51, 51, 51),
    ),
    "gray, 8 bits, transparent": (raw_png(8, GREY, b"\x33" * 8, chunk(b"tRNS", b"\x00\x33")), WHITE),
    "gray, 16 bits, transparent": (raw_png(16, GREY, b"\x00\x07" * 8, chunk(b"tRNS", b"\x00\x07")), WHITE),
    "gray, 16 bits, another level transparent": (
        raw_png(16, GREY, b"\x00\x08" * 8, chunk(b"tRNS", b"\x00\x07")),
        BLACK,
    ),
    "gray and alpha, 8 bits": (raw_png(8, GREY_ALPHA, b"\x64\x33" * 8), (224, 224, 224)),
    "gray and alpha, 16 bits": (raw_png(16, GREY_ALPHA, b"\x64\x00\xff\xff" * 8), (100, 100, 100)),
    "RGB, 8 bits": (raw_png(8, RGB, b"\x01\x02\x03" * 8), (1, 2, 3)),
    "RGB, 8 bits, transparent": (
        raw_png(8, RGB, b"\x01\x02\x03" * 8, chunk(b"tRNS", b"\x00\x01\x00\x02\x00\x03")),
        WHITE,
    ),
    "RGB, 16 bits": (raw_png(16, RGB, b"\x0a\xff\x14\x00\x1e\x80" * 8), (10, 20, 30)),
    "RGB, 16 bits, transparent": (
        raw_png(16, RGB, b"\x0a\xff\x14\x00\x1e\x80" * 8, chunk(b"tRNS", b"\x0a\xff\x14\x00\x1e\x80")),
        WHITE,
    ),
    "RGBA, 8 bits": (raw_png(8, RGBA, b"\xc8\x64\x00\x33" * 8), (244, 224, 204)),
    "RGBA, 16 bits": (raw_png(16, RGBA, b"\xc8\x00\x64\x00\x00\x00\x00\x00" * 8), WHITE),
    "palette, 1 bit": (raw_png(1, PALETTE, b"\xff", palette(BLACK, (9, 8, 7))), (9, 8, 7)),
    "palette, 4 bits": (raw_png(4, PALETTE, b"\x11" * 4, palette(BLACK, (9, 8, 7))), (9, 8, 7)),
    "palette, 8 bits, transparent": (
        raw_png(8, PALETTE, b"\x01" * 8, palette(BLACK, (9, 8, 7), alpha=b"\xff\x00")),
        WHITE,
    ),
    "BMP, 24 bits": (bmp(SIDE, SIDE, 24, b"\x03\x02\x01" * SIDE * SIDE), (1, 2, 3)),
    "BMP, 32 bits": (bmp(SIDE, SIDE, 32, b"\x03\x02\x01\x00" * SIDE * SIDE), (1, 2, 3)),
    "BMP, 8 bits": (bmp(SIDE, SIDE, 8, b"\x33" * SIDE * SIDE), (51, 51, 51)),
    "BMP, bitfields without alpha": (bitfields(0, b"\x03\x02\x01\x00"), (1, 2, 3)),
    "BMP, bitfields, alpha 0 everywhere": (bitfields(0xFF000000, b"\x03\x02\x01\x00"), (1, 2, 3)),
    "BMP, bitfields, alpha": (bitfields(0xFF000000, b"\x00\x64\xc8\x33"), (244, 224, 204)),
    "JPEG, gray": (encode(Image.new("L", (SIDE, SIDE), 77), "JPEG"), (77, 77, 77)),
    "JPEG, CMYK": (encode(Image.new("CMYK", (SIDE, SIDE), (255, 255, 255, 255)), "JPEG"), BLACK),
    "GIF, transparent": (encode(Image.new("P", (SIDE, SIDE), 0), "GIF", transparency=0), WHITE),
    "WebP, alpha": (encode(Image.new("RGBA", (SIDE, SIDE), (200, 100, 0, 0)), "WEBP", lossless=True), WHITE),
}


@pytest.mark.parametrize("mode", TABLE)
def test_pixels_of_mode(mode: str) -> None:
    content, color = TABLE[mode]
    pixels, _ = prepare_image(content)
    assert np.abs(pixels.astype(int) - color).max() <= 1


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}], ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_without_end_marker_is_decoded(mode: str, options: dict[str, int]) -> None:
    whole = encode(noise(300).convert(mode), "JPEG", **options)
    expected, _ = prepare_image(whole)
    for missing in (1, 2):
        np.testing.assert_array_equal(prepare_image(whole[:-missing])[0], expected)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [200, 1000, 5000])
def test_jpeg_with_missing_pixels_is_refused(missing: int, progressive: bool) -> None:
    whole = encode(noise(IMAGE_SIZE), "JPEG", progressive=progressive)
    with pytest.raises(InvalidAvatar, match="damaged or truncated"):
        prepare_image(whole[:-missing])
