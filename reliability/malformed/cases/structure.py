"""Wrong lengths, checksums, codings and offsets, and segments in an invalid order."""

import struct
import zlib
from collections.abc import Iterator

from . import encode
from .case import Case, Content, Expected, cases_of
from .valid_files import valid_files

SHORT_LENGTHS = (0, 1, 2, 3, 255, 0x7FFF, 0xFFFF)
LONG_LENGTHS = (0, 1, 0xFFFF, 0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
JPEG_MARKERS = (0xC0, 0xC4, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE)
PNG_KINDS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"iCCP", b"acTL", b"fcTL", b"fdAT", b"\0\0\0\0")
RLE_CODES = (b"\x00\x02\xff\xff", b"\x00\x00", b"\x00\xff" + bytes(255), b"\xff\x01", b"\x00\x01")


def cases() -> Iterator[Case]:
    for format_cases in (_jpeg_coding, _jpeg_order, _png, _gif, _webp, _bmp):
        yield from format_cases()


def _jpeg_coding() -> Iterator[Case]:
    jpeg = valid_files()["JPEG"]
    frame = jpeg.index(b"\xff\xc0")
    for marker in JPEG_MARKERS:
        for length in SHORT_LENGTHS:
            lying = encode.with_segments(jpeg, encode.segment(marker, bytes(4), length))
            yield Case("lying length", f"JPEG, segment {marker:02X} of {length}", lying)
    for bits in (0, 1, 2, 7, 9, 12, 16, 255):
        deep = encode.patched(jpeg, frame + 4, bytes([bits]))
        yield Case("other coding", f"JPEG, {bits} bits", deep, Expected.REFUSAL)
    for name, offset, values in (
        ("SOF {:02X}", 1, (*range(0xC1, 0xC4), *range(0xC5, 0xD0), 0xF7)),
        ("{} components", 9, (0, 1, 2, 4, 5, 255)),
        ("sampling {:02X}", 11, (0x00, 0x01, 0x10, 0x14, 0x41, 0x44, 0x55, 0xF1, 0xFF)),
    ):
        for value in values:
            other = encode.patched(jpeg, frame + offset, bytes([value]))
            yield Case("other coding", f"JPEG, {name.format(value)}", other)


def _jpeg_order() -> Iterator[Case]:
    jpeg = valid_files()["JPEG"]
    frame, scan = jpeg.index(b"\xff\xc0"), jpeg.index(b"\xff\xda")
    body = scan + 14
    for number in range(8):
        markers = bytes([0xFF, 0xD0 + number]) * 1000
        yield Case("restart markers", f"JPEG, 1,000 of D{number}", jpeg[:body] + markers + jpeg[body:])
    for interval in (1, 65535):
        declared = encode.with_segments(jpeg, encode.segment(0xDD, struct.pack(">H", interval)))
        yield Case("restart markers", f"JPEG, interval {interval} without markers", declared)
    orders: dict[str, Content] = {
        "JPEG, tables after the scan": jpeg[:2] + jpeg[scan:] + jpeg[2:scan],
        "JPEG, two frames": jpeg[:scan] + jpeg[frame:],
        "JPEG, no frame": jpeg[:frame] + jpeg[scan:],
        "JPEG, no EOI": jpeg[:-2],
        "JPEG, EOI first": encode.with_segments(jpeg, b"\xff\xd9"),
    }
    yield from cases_of("order", orders)


def _png() -> Iterator[Case]:
    png = valid_files()["PNG"]
    for length in LONG_LENGTHS:
        yield Case("lying length", f"PNG, data of {length}", encode.patched(png, 33, struct.pack(">I", length)))
        text = encode.chunk(b"tEXt", b"a\0b", length)
        yield Case("lying length", f"PNG, text of {length}", encode.with_chunks(png, text))
    for kind in PNG_KINDS:
        for size in (0, 3, 5000):
            extra = encode.with_chunks(png, encode.chunk(kind, bytes(size)))
            yield Case("order", f"PNG, {kind!r} of {size} zeros", extra)
    yield Case("order", "PNG, no data", encode.png_of(encode.ihdr(8, 8)))
    yield Case("lying checksum", "PNG, header", encode.patched(png, 29, bytes(4)), Expected.REFUSAL)
    adler = encode.png(8, 8, data=zlib.compress(bytes(200))[:-4] + b"abcd")
    yield Case("lying checksum", "PNG, data", adler)
    for data in (b"", b"\0", b"\x78\x9c", b"\x78\x9c\xff\xff\xff", b"\x1f\x8b\x08\0", bytes(1000)):
        yield Case("lying content", f"PNG, data {data[:6]!r}", encode.png(64, 64, data=data))


def _gif() -> Iterator[Case]:
    data = encode.lzw_zeros(64 * 64)
    for bits in (0, 1, 2, 8, 9, 11, 12, 13, 255):
        file = encode.gif(64, 64, encode.gif_frame(64, 64, data, bits=bits))
        yield Case("lying content", f"GIF, codes of {bits} bits", file)
    yield Case("order", "GIF, no frame", encode.gif(8, 8, b""), Expected.REFUSAL)
    for label in (0x01, 0xF9, 0xFE, 0xFF, 0x00):
        for content in (b"", b"\x01\0", b"\xff" + bytes(20), b"\x04\0\0\0\0\0"):
            file = encode.gif(64, 64, b"!" + bytes([label]) + content + encode.gif_frame(64, 64, data))
            yield Case("lying length", f"GIF, extension {label:02X} {content[:6]!r}", file)


def _webp() -> Iterator[Case]:
    for name, file in (("lossy", valid_files()["WEBP"]), ("lossless", valid_files()["WEBP, lossless"])):
        for what, offset in (("file", 4), ("first chunk", 16)):
            for length in LONG_LENGTHS:
                lying = encode.patched(file, offset, struct.pack("<I", length))
                yield Case("lying length", f"WEBP {name}, {what} of {length}", lying)
    image = encode.webp_chunk(valid_files()["WEBP"])
    yield Case("order", "WEBP, two images", encode.riff([image, image]))
    yield Case("order", "WEBP, two headers", encode.riff([encode.vp8x(48, 48, 0), encode.vp8x(9, 9, 0), image]))
    yield Case("order", "WEBP, no image", encode.riff([encode.vp8x(8, 8, 0)]), Expected.REFUSAL)


def _bmp() -> Iterator[Case]:
    for bits in (0, 1, 2, 3, 4, 8, 15, 16, 24, 32, 33, 65535):
        for compression in (0, 1, 2, 3, 4, 5, 6, 11, 0xFFFFFFFF):
            file = encode.bmp(16, 16, min(bits, 24), bytes(4096), compression)
            yield Case("other coding", f"BMP, {bits} bits, compression {compression}", file)
    for colors in (1, 2, 3, 257, 65536, 65537, 0x7FFFFFFF, 0xFFFFFFFF):
        yield Case("lying length", f"BMP, {colors} colors", encode.bmp(16, 16, 8, bytes(256), colors=colors))
    for offset in LONG_LENGTHS:
        yield Case("lying length", f"BMP, pixels at {offset}", encode.bmp(16, 16, 24, bytes(768), offset=offset))
    for header in (0, 1, 12, 40, 52, 56, 64, 108, 124, 125, 0xFFFF, 0xFFFFFFFF):
        lying = encode.patched(encode.bmp(16, 16, 24, bytes(2048)), 14, struct.pack("<I", header))
        yield Case("lying length", f"BMP, header of {header}", lying)
    for code in RLE_CODES:
        for bits in (4, 8):
            yield Case("lying content", f"BMP, RLE{bits} of {code[:4]!r}", encode.bmp_rle(64, 64, bits, code * 500))
