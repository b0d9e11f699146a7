"""Writers of image containers. Unlike Pillow, they can write a header that contradicts the content."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
SOI: Final = b"\xff\xd8"
# PNG color types.
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS: Final = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
_BLOCK: Final = 2**20
_IHDR_END, _IEND_SIZE = 33, 12
# The LZW clear code for 2-bit pixels.
_CLEAR: Final = 4


def pillow(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """Return a valid file written by Pillow."""
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def noise(width: int = 48, height: int = 48, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def patched(content: bytes, offset: int, value: bytes) -> bytes:
    """Overwrite the bytes at `offset`."""
    return content[:offset] + value + content[offset + len(value) :]


def chunk(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    """Return a PNG chunk; `length` overrides the declared length."""
    length = len(content) if length is None else length
    return struct.pack(">I", length) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def ihdr(width: int, height: int, bits: int = 8, color: int = RGB, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlace))


def png(
    width: int,
    height: int,
    bits: int = 8,
    color: int = RGB,
    interlace: int = 0,
    extra: bytes = b"",
    data: bytes | None = None,
) -> bytes:
    """Return a black PNG. `extra` holds chunks before IDAT, `data` replaces the compressed content of IDAT."""
    if data is None:
        row = 1 + (width * bits * CHANNELS[color] + 7) // 8
        # An upper bound of the bytes that the seven passes of an interlaced image add.
        data = deflated_zeros(row * height + (2 * height + 8 * width if interlace else 0))
    if color == PALETTE:
        extra = chunk(b"PLTE", bytes(3 * 2 ** min(bits, 8))) + extra
    return png_of(ihdr(width, height, bits, color, interlace) + extra + chunk(b"IDAT", data))


def png_of(chunks: bytes) -> bytes:
    """Return the chunks between the PNG signature and IEND."""
    return PNG_SIGNATURE + chunks + chunk(b"IEND", b"")


def with_chunks(file: bytes, chunks: bytes, after_data: bool = False) -> bytes:
    """Insert chunks into a PNG, after IHDR or before IEND."""
    offset = len(file) - _IEND_SIZE if after_data else _IHDR_END
    return file[:offset] + chunks + file[offset:]


def deflated_zeros(size: int) -> bytes:
    """Return a zlib stream that inflates to `size` zeros, at about 1/1000 of the size."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(bytes(_BLOCK)) + compressor.flush(zlib.Z_FULL_FLUSH)
    rest = compressor.compress(bytes(size % _BLOCK)) + compressor.flush()
    # Adler-32 of zeros: the low half stays 1, the high half is the length modulo 65,521.
    checksum = struct.pack(">HH", size % 65_521, 1)
    return b"\x78\x01" + size // _BLOCK * block + rest + checksum


def segment(marker: int, content: bytes, length: int | None = None) -> bytes:
    """Return a JPEG segment; `length` overrides the declared length."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2 if length is None else length) + content


def with_segments(jpeg: bytes, segments: bytes) -> bytes:
    """Insert segments into a JPEG, directly after SOI."""
    return SOI + segments + jpeg[2:]


def gif(width: int, height: int, frames: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + frames + b";"


def gif_frame(width: int, height: int, data: bytes, left: int = 0, top: int = 0, bits: int = 2) -> bytes:
    """Return a frame with a local palette of two colors around LZW data."""
    descriptor = struct.pack("<HHHHB", left, top, width, height, 0x80)
    return b"," + descriptor + b"\0\0\0\xff\xff\xff" + bytes([bits]) + sub_blocks(data)


def sub_blocks(data: bytes, size: int = 255) -> bytes:
    blocks = (data[start : start + size] for start in range(0, len(data), size))
    return b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def lzw_zeros(count: int) -> bytes:
    """Return LZW codes for `count` pixels of value 0. Each code covers one pixel more than the one before."""
    codes, left = [(_CLEAR, 3)], count
    while left > 0:
        codes.append((0, 3))
        left -= 1
        for code in range(6, 4096):
            if left > 0:
                codes.append((code, code.bit_length()))
                left -= code - 4
        codes.append((_CLEAR, min(12, (codes[-1][0] + 1).bit_length())))
    return _bit_packed(codes)


def _bit_packed(codes: Iterable[tuple[int, int]]) -> bytes:
    """Pack (code, bit width) pairs, least significant bit first."""
    bits, filled, result = 0, 0, bytearray()
    for code, width in codes:
        bits |= code << filled
        filled += width
        while filled >= 8:
            result.append(bits & 0xFF)
            bits >>= 8
            filled -= 8
    return bytes(result) + bytes([bits & 0xFF])


def riff(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a WebP of (FourCC, content) chunks."""
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def vp8x(width: int, height: int, flags: int) -> tuple[bytes, bytes]:
    """Return the header of an extended WebP. Flags: 0x02 animation, 0x04 XMP, 0x08 EXIF, 0x10 alpha, 0x20 ICC."""
    return b"VP8X", struct.pack("<I", flags) + _u24(width - 1) + _u24(height - 1)


def animated_webp(width: int, height: int, frames: int, left: int = 0) -> bytes:
    """Return an animated WebP whose frames are one pixel each, `left` pixels from the edge of the canvas."""
    pixel = pillow(noise(1, 1), "WEBP", lossless=True)
    fields = (left // 2, 0, 0, 0, 10)
    frame = (b"ANMF", b"".join(map(_u24, fields)) + b"\0" + pixel[12:])
    return riff([vp8x(width, height, 0x02), (b"ANIM", bytes(6)), *[frame] * frames])


def webp_chunk(webp: bytes) -> tuple[bytes, bytes]:
    """Return the VP8 or VP8L chunk of a simple WebP."""
    return webp[12:16], webp[20:]


def bmp(
    width: int, height: int, bits: int, data: bytes, compression: int = 0, colors: int = 0, offset: int | None = None
) -> bytes:
    """Return a BMP, with a grey palette up to 8 bits; `colors` and `offset` override the declared values."""
    palette = b"".join(bytes([n, n, n, 0]) for n in np.linspace(0, 255, 1 << bits).astype(int)) if bits <= 8 else b""
    start = 54 + len(palette) if offset is None else offset
    head = b"BM" + struct.pack("<IHHI", 54 + len(palette) + len(data), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, colors, 0)
    return head + info + palette + data


def bmp_rle(width: int, height: int, bits: int, data: bytes) -> bytes:
    """Return a BMP with RLE4 or RLE8 compression."""
    return bmp(width, height, bits, data, compression=3 - bits // 4)


def exif(entries: Sequence[tuple[int, int, int, bytes]], tail: bytes = b"", next_directory: int = 0) -> bytes:
    """Return EXIF with one directory.

    Args:
        entries: tag, type, count, and four bytes of value or offset.
        tail: bytes after the directory, which offsets may point to.
        next_directory: offset of the following directory.
    """
    directory = struct.pack(">H", len(entries) & 0xFFFF)
    directory += b"".join(struct.pack(">HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0MM\0\x2a" + struct.pack(">I", 8) + directory + struct.pack(">I", next_directory) + tail


def _u24(number: int) -> bytes:
    return struct.pack("<I", number)[:3]
