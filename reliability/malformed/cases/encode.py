"""The containers of the image formats, written by hand: an encoder would not lie."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
SOI: Final = b"\xff\xd8"
# PNG's colour types.
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS: Final = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
_BLOCK: Final = 2**20
# LZW's code that empties the table, for pixels of two bits.
_CLEAR: Final = 4


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A valid file, from Pillow."""
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width: int = 48, height: int = 48, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def chunk(kind: bytes, content: bytes, length: int | None = None, checksum: int | None = None) -> bytes:
    """A chunk of a PNG; it may lie about its length and checksum."""
    length = len(content) if length is None else length
    checksum = zlib.crc32(kind + content) if checksum is None else checksum
    return struct.pack(">I", length) + kind + content + struct.pack(">I", checksum)


def ihdr(width: int, height: int, bits: int = 8, colour: int = RGB, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace))


def png(
    width: int,
    height: int,
    bits: int = 8,
    colour: int = RGB,
    interlace: int = 0,
    extra: bytes = b"",
    data: bytes | None = None,
) -> bytes:
    """A PNG of any declared size, black unless its compressed `data` is given; `extra` chunks come before the data."""
    if data is None:
        row = 1 + (width * bits * CHANNELS[colour] + 7) // 8
        # The seven passes of an interlaced image have at most so many bytes in their rows together.
        data = deflated_zeros(row * height + (2 * height + 8 * width if interlace else 0))
    if colour == PALETTE:
        extra = chunk(b"PLTE", bytes(3 * 2 ** min(bits, 8))) + extra
    head = PNG_SIGNATURE + ihdr(width, height, bits, colour, interlace)
    return head + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def deflated_zeros(size: int) -> bytes:
    """A zlib stream of so many zeros, a few thousandths of their size: one block again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(_BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = packer.compress(bytes(size % _BLOCK)) + packer.flush()
    # Adler's checksum of zeros: the first half stays 1, the second counts them.
    checksum = struct.pack(">HH", size % 65_521, 1)
    return b"\x78\x01" + size // _BLOCK * block + rest + checksum


def segment(marker: int, content: bytes, length: int | None = None) -> bytes:
    """A segment of a JPEG; it may lie about its length."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2 if length is None else length) + content


def with_segments(jpeg: bytes, segments: bytes) -> bytes:
    """A JPEG with more segments right behind its first marker."""
    return SOI + segments + jpeg[2:]


def gif(width: int, height: int, frames: bytes, flags: int = 0) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, flags, 0, 0) + frames + b";"


def gif_frame(
    width: int, height: int, data: bytes, left: int = 0, top: int = 0, flags: int = 0x80, bits: int = 2
) -> bytes:
    """A frame with a palette of two colours of its own, around LZW data."""
    palette = b"\0\0\0\xff\xff\xff" if flags & 0x80 else b""
    return b"," + struct.pack("<HHHHB", left, top, width, height, flags) + palette + bytes([bits]) + sub_blocks(data)


def sub_blocks(data: bytes, size: int = 255) -> bytes:
    parts = (data[start : start + size] for start in range(0, len(data), size))
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def lzw_zeros(count: int) -> bytes:
    """LZW codes for so many pixels of value 0, each for a run one longer than the last: GIF's bomb."""
    codes, left = [(_CLEAR, 3)], count
    while left > 0:
        codes.append((0, 3))
        left -= 1
        for code in range(6, 4096):
            if left > 0:
                codes.append((code, code.bit_length()))
                left -= code - 4
        codes.append((_CLEAR, min(12, (codes[-1][0] + 1).bit_length())))
    return _packed(codes)


def _packed(codes: Iterable[tuple[int, int]]) -> bytes:
    """Codes and their widths as bits, the lowest first."""
    bits, filled, result = 0, 0, bytearray()
    for code, width in codes:
        bits |= code << filled
        filled += width
        while filled >= 8:
            result.append(bits & 0xFF)
            bits >>= 8
            filled -= 8
    return bytes(result) + bytes([bits & 0xFF])


def riff(chunks: Sequence[tuple[bytes, bytes]], size: int | None = None) -> bytes:
    """A WebP around these chunks; it may lie about its size."""
    body = b"WEBP" + b"".join(riff_chunk(kind, content) for kind, content in chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def riff_chunk(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    length = len(content) if length is None else length
    return kind + struct.pack("<I", length) + content + b"\0" * (len(content) % 2)


def vp8x(width: int, height: int, flags: int) -> tuple[bytes, bytes]:
    """The head of an extended WebP: 0x02 animation, 0x04 XMP, 0x08 EXIF, 0x10 alpha, 0x20 ICC."""
    return b"VP8X", struct.pack("<I", flags) + _u24(width - 1) + _u24(height - 1)


def anmf(width: int, height: int, image: bytes, left: int = 0, top: int = 0) -> tuple[bytes, bytes]:
    """A frame of an animated WebP."""
    fields = (left // 2, top // 2, width - 1, height - 1, 10)
    return b"ANMF", b"".join(map(_u24, fields)) + b"\0" + image


def webp_image(webp: bytes) -> bytes:
    """The VP8 or VP8L chunk of a plain WebP."""
    return webp[12:]


def bmp(
    width: int, height: int, bits: int, data: bytes, compression: int = 0, colours: int = 0, offset: int | None = None
) -> bytes:
    """A BMP with a grey palette where it needs one."""
    palette = b"".join(bytes([n, n, n, 0]) for n in np.linspace(0, 255, 1 << bits).astype(int)) if bits <= 8 else b""
    start = 54 + len(palette) if offset is None else offset
    head = b"BM" + struct.pack("<IHHI", 54 + len(palette) + len(data), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, colours, 0)
    return head + info + palette + data


def exif(entries: Sequence[tuple[int, int, int, bytes]], tail: bytes = b"", following: int = 0) -> bytes:
    """EXIF of one directory: entries are tag, type, count and four bytes of value or offset; `tail` is behind them."""
    directory = struct.pack(">H", len(entries) & 0xFFFF)
    directory += b"".join(struct.pack(">HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0MM\0\x2a" + struct.pack(">I", 8) + directory + struct.pack(">I", following) + tail


def _u24(number: int) -> bytes:
    return struct.pack("<I", number)[:3]
