"""Headers that lie about sizes, lengths, checksums and offsets, and structures in an order nobody writes."""

import struct
import zlib
from collections.abc import Iterator
from functools import partial

from . import Case, Expected
from . import encode as e
from .sample_per_kind import valid

SIDES = (0, 1, 255, 256, 32767, 32768, 65500, 65501, 65535)
LENGTHS = (0, 1, 2, 3, 255, 0x7FFF, 0xFFFF)
LONG_LENGTHS = (0, 1, 0xFFFF, 0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def cases(seed: int) -> Iterator[Case]:
    yield from _declared_sizes()
    yield from _jpeg()
    yield from _png()
    yield from _gif()
    yield from _webp()
    yield from _bmp()


def _declared_sizes() -> Iterator[Case]:
    for side in SIDES:
        for width, height in sorted({(side, side), (side, 1), (1, side)}):
            name = f"{width}x{height}"
            yield Case("declared size", f"JPEG, {name}", partial(_resized_jpeg, width, height))
            yield Case("declared size", f"PNG, {name}", partial(e.png, width, height, data=zlib.compress(bytes(64))))
            yield Case("declared size", f"GIF, {name}", partial(_gif_of, width, height))
            yield Case("declared size", f"BMP, {name}", partial(e.bmp, width, height, 24, bytes(64)))
            yield Case("declared size", f"WEBP, {name}", partial(_webp_canvas, max(width, 1), max(height, 1)))
    for width, height in ((2**31 - 1, 2**31 - 1), (2**31, 1), (2**32 - 1, 1), (2**32 - 1, 2**32 - 1)):
        yield Case("declared size", f"PNG, {width}x{height}", partial(e.png, width, height, data=b""), Expected.REFUSAL)
    for width, height in ((-1, 1), (1, -(2**31)), (2**31 - 1, 2**31 - 1), (2**31 - 1, -1)):
        yield Case("declared size", f"BMP, {width}x{height}", partial(e.bmp, width, height, 24, b""), Expected.REFUSAL)
    for width, height in ((2**24, 2**24), (2**24, 1), (16384, 16384)):
        yield Case("declared size", f"WEBP, {width}x{height}", partial(_webp_canvas, width, height))


def _jpeg() -> Iterator[Case]:
    jpeg = valid()["JPEG"]
    for marker in (0xC0, 0xC4, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE):
        for length in LENGTHS:
            bad = e.with_segments(jpeg, e.segment(marker, b"\0" * 4, length))
            yield Case("lying length", f"JPEG, segment {marker:02X} of {length}", partial(bytes, bad))
    frame = jpeg.index(b"\xff\xc0")
    for marker in (*range(0xC1, 0xC4), *range(0xC5, 0xD0), 0xF7):
        other = jpeg[: frame + 1] + bytes([marker]) + jpeg[frame + 2 :]
        yield Case("other coding", f"JPEG, SOF {marker:02X}", partial(bytes, other))
    for bits in (0, 1, 2, 7, 9, 12, 16, 255):
        deep = jpeg[: frame + 4] + bytes([bits]) + jpeg[frame + 5 :]
        yield Case("other coding", f"JPEG, {bits} bits", partial(bytes, deep), Expected.REFUSAL)
    for components in (0, 1, 2, 4, 5, 255):
        odd = jpeg[: frame + 9] + bytes([components]) + jpeg[frame + 10 :]
        yield Case("other coding", f"JPEG, {components} components", partial(bytes, odd))
    for sampling in (0x00, 0x01, 0x10, 0x14, 0x41, 0x44, 0x55, 0xF1, 0xFF):
        odd = jpeg[: frame + 11] + bytes([sampling]) + jpeg[frame + 12 :]
        yield Case("other coding", f"JPEG, sampling {sampling:02X}", partial(bytes, odd))
    scan = jpeg.index(b"\xff\xda")
    body = scan + 14
    for number in range(8):
        marked = jpeg[:body] + bytes([0xFF, 0xD0 + number]) * 1000 + jpeg[body:]
        yield Case("restart markers", f"JPEG, 1,000 of D{number}", partial(bytes, marked))
    yield Case("restart markers", "JPEG, an interval of 65,535 and none", partial(_with_interval, jpeg, 65535))
    yield Case("restart markers", "JPEG, an interval of 1 and none", partial(_with_interval, jpeg, 1))
    yield Case("order", "JPEG, tables behind the scan", partial(bytes, jpeg[:2] + jpeg[scan:] + jpeg[2:scan]))
    yield Case("order", "JPEG, two frames", partial(bytes, jpeg[:scan] + jpeg[frame:]))
    yield Case("order", "JPEG, no frame", partial(bytes, jpeg[:frame] + jpeg[scan:]))
    yield Case("order", "JPEG, no end", partial(bytes, jpeg[:-2]))
    yield Case("order", "JPEG, end first", partial(bytes, jpeg[:2] + b"\xff\xd9" + jpeg[2:]))
    yield Case("many segments", "JPEG, 10 MB of empty comments", partial(_many_segments, jpeg, 0xFE))
    yield Case("many segments", "JPEG, 10 MB of empty APP1", partial(_many_segments, jpeg, 0xE1))
    yield Case("many segments", "JPEG, 10 MB of Huffman tables", partial(_many_tables, jpeg))
    yield Case("many segments", "JPEG, 10 MB between two markers", partial(e.with_segments, jpeg, bytes(10_000_000)))
    yield Case("many segments", "JPEG, 10 MB of FF", partial(e.with_segments, jpeg, b"\xff" * 10_000_000))


def _png() -> Iterator[Case]:
    png = valid()["PNG"]
    for length in LONG_LENGTHS:
        lying = png[:33] + struct.pack(">I", length) + png[37:]
        yield Case("lying length", f"PNG, data of {length}", partial(bytes, lying))
        comment = e.chunk(b"tEXt", b"a\0b", length)
        yield Case("lying length", f"PNG, text of {length}", partial(bytes, png[:33] + comment + png[33:]))
    for kind in (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"iCCP", b"acTL", b"fcTL", b"fdAT", b"\0\0\0\0"):
        for content in (b"", bytes(3), bytes(5000)):
            extra = e.chunk(kind, content)
            yield Case("order", f"PNG, {kind!r} of {len(content)} zeros", partial(bytes, png[:33] + extra + png[33:]))
    yield Case("lying checksum", "PNG, header", partial(bytes, png[:29] + b"\0\0\0\0" + png[33:]), Expected.REFUSAL)
    yield Case("lying checksum", "PNG, data", partial(e.png, 8, 8, data=zlib.compress(bytes(200))[:-4] + b"abcd"))
    yield Case("order", "PNG, no data", partial(bytes, e.PNG_SIGNATURE + e.ihdr(8, 8) + e.chunk(b"IEND", b"")))
    for compression in (b"", b"\0", b"\x78\x9c", b"\x78\x9c\xff\xff\xff", b"\x1f\x8b\x08\0", bytes(1000)):
        yield Case("lying content", f"PNG, data {compression[:6]!r}", partial(e.png, 64, 64, data=compression))
    tiny = b"".join(e.chunk(b"IDAT", bytes([byte])) for byte in zlib.compress(bytes(64 * 193)))
    head = e.PNG_SIGNATURE + e.ihdr(64, 64)
    yield Case("many segments", "PNG, data a byte a chunk", partial(bytes, head + tiny + e.chunk(b"IEND", b"")))
    for kind in (b"IDAT", b"tEXt", b"prVt", b"acTL"):
        yield Case("many segments", f"PNG, 10 MB of empty {kind.decode()}", partial(_many_chunks, kind))


def _gif() -> Iterator[Case]:
    data = e.lzw_zeros(64 * 64)
    for bits in (0, 1, 2, 8, 9, 11, 12, 13, 255):
        yield Case("lying content", f"GIF, codes of {bits} bits", partial(_gif_of, 64, 64, bits))
    outside = e.gif(8, 8, e.gif_frame(64, 64, data, 65000, 65000))
    yield Case("declared size", "GIF, a frame far outside", partial(bytes, outside), Expected.REFUSAL)
    yield Case("declared size", "GIF, a frame a little outside", partial(_gif_frame_at, 8, 8))
    yield Case("declared size", "GIF, a frame of no pixels", partial(bytes, e.gif(8, 8, e.gif_frame(0, 0, data))))
    yield Case("order", "GIF, no frame", partial(bytes, e.gif(8, 8, b"")), Expected.REFUSAL)
    for label in (0x01, 0xF9, 0xFE, 0xFF, 0x00):
        for content in (b"", b"\x01\0", b"\xff" + bytes(20), b"\x04\0\0\0\0\0"):
            extension = b"!" + bytes([label]) + content
            file = e.gif(64, 64, extension + e.gif_frame(64, 64, data))
            yield Case("lying length", f"GIF, extension {label:02X} {content[:6]!r}", partial(bytes, file))
    for label in (0xFE, 0xFF, 0x00):
        yield Case(
            "many segments", f"GIF, 10 MB of extensions {label:02X}", partial(_many_extensions, label, b"\x01a\0")
        )
        yield Case("many segments", f"GIF, 10 MB of empty {label:02X}", partial(_many_extensions, label, b"\0"))
    one = b"!\xfe" + b"\x01a" * 5_000_000 + b"\0"
    yield Case("many segments", "GIF, a comment of 5 million blocks", partial(e.gif, 8, 8, one + _frame(8)))
    yield Case("many segments", "GIF, 10 MB before the frame", partial(e.gif, 8, 8, bytes(10_000_000) + _frame(8)))
    yield Case("many segments", "GIF, codes a byte a block", partial(_gif_of_small_blocks, 2000))


def _webp() -> Iterator[Case]:
    lossless, lossy = valid()["WEBP, lossless"], valid()["WEBP"]
    for length in LONG_LENGTHS:
        for name, file in (("lossy", lossy), ("lossless", lossless)):
            lying = file[:4] + struct.pack("<I", length) + file[8:]
            yield Case("lying length", f"WEBP {name}, file of {length}", partial(bytes, lying))
            lying = file[:16] + struct.pack("<I", length) + file[20:]
            yield Case("lying length", f"WEBP {name}, first chunk of {length}", partial(bytes, lying))
    image = [(lossy[12:16], lossy[20:])]
    yield Case("order", "WEBP, two images", partial(e.riff, image * 2))
    yield Case("order", "WEBP, no image", partial(e.riff, [e.vp8x(8, 8, 0)]), Expected.REFUSAL)
    yield Case("order", "WEBP, two heads", partial(e.riff, [e.vp8x(48, 48, 0), e.vp8x(9, 9, 0), *image]))
    yield Case("declared size", "WEBP, canvas larger than image", partial(e.riff, [e.vp8x(2000, 2000, 0), *image]))
    yield Case("many segments", "WEBP, 10 MB of empty chunks", partial(e.riff, [(b"JUNK", b"")] * 1_250_000 + image))
    extended = [e.vp8x(48, 48, 0), *image, *[(b"JUNK", b"")] * 1_250_000]
    yield Case("many segments", "WEBP, 10 MB of empty chunks behind", partial(e.riff, extended))


def _bmp() -> Iterator[Case]:
    for bits in (0, 1, 2, 3, 4, 8, 15, 16, 24, 32, 33, 65535):
        for compression in (0, 1, 2, 3, 4, 5, 6, 11, 0xFFFFFFFF):
            made = partial(e.bmp, 16, 16, min(bits, 24) if bits > 8 else bits, bytes(4096), compression)
            yield Case("other coding", f"BMP, {bits} bits, compression {compression}", made)
    for colours in (1, 2, 3, 257, 65536, 65537, 0x7FFFFFFF, 0xFFFFFFFF):
        yield Case("lying length", f"BMP, {colours} colours", partial(e.bmp, 16, 16, 8, bytes(256), 0, colours))
    for offset in LONG_LENGTHS:
        yield Case("lying length", f"BMP, pixels at {offset}", partial(e.bmp, 16, 16, 24, bytes(768), offset=offset))
    for header in (0, 1, 12, 40, 52, 56, 64, 108, 124, 125, 0xFFFF, 0xFFFFFFFF):
        file = e.bmp(16, 16, 24, bytes(2048))
        lying = file[:14] + struct.pack("<I", header) + file[18:]
        yield Case("lying length", f"BMP, header of {header}", partial(bytes, lying))
    for code in (b"\x00\x02\xff\xff", b"\x00\x00", b"\x00\xff" + bytes(255), b"\xff\x01", b"\x00\x01"):
        for bits in (4, 8):
            made = partial(e.bmp, 64, 64, bits, code * 500, 3 - bits // 4)
            yield Case("lying content", f"BMP, RLE{bits} of {code[:4]!r}", made)


def _resized_jpeg(width: int, height: int) -> bytes:
    jpeg = valid()["JPEG"]
    frame = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:frame] + struct.pack(">HH", height, width) + jpeg[frame + 4 :]


def _with_interval(jpeg: bytes, interval: int) -> bytes:
    return e.with_segments(jpeg, e.segment(0xDD, struct.pack(">H", interval)))


def _many_segments(jpeg: bytes, marker: int) -> bytes:
    return e.with_segments(jpeg, e.segment(marker, b"") * 2_500_000)


def _many_tables(jpeg: bytes) -> bytes:
    """Between the frame and the scan, where a decoder has to read all of them."""
    scan = jpeg.index(b"\xff\xda")
    table = e.segment(0xC4, b"\0" + bytes(16))
    return jpeg[:scan] + table * (10_000_000 // len(table)) + jpeg[scan:]


def _many_chunks(kind: bytes) -> bytes:
    data = e.chunk(b"IDAT", zlib.compress(bytes(8 * 25)))
    empty = e.chunk(kind, b"") * (10_000_000 // 12)
    return e.PNG_SIGNATURE + e.ihdr(8, 8) + empty + data + e.chunk(b"IEND", b"")


def _many_extensions(label: int, content: bytes) -> bytes:
    extension = b"!" + bytes([label]) + content
    return e.gif(8, 8, extension * (10_000_000 // len(extension)) + _frame(8))


def _frame(side: int) -> bytes:
    return e.gif_frame(side, side, e.lzw_zeros(side * side))


def _gif_of(width: int, height: int, bits: int = 2) -> bytes:
    return e.gif(width, height, e.gif_frame(width, height, e.lzw_zeros(64 * 64), bits=bits))


def _gif_frame_at(left: int, top: int) -> bytes:
    return e.gif(8, 8, e.gif_frame(64, 64, e.lzw_zeros(64 * 64), left, top))


def _gif_of_small_blocks(side: int) -> bytes:
    data = e.lzw_zeros(side * side)
    frame = e.gif_frame(side, side, b"")[:-1] + e.sub_blocks(data, 1)
    return e.gif(side, side, frame)


def _webp_canvas(width: int, height: int) -> bytes:
    lossy = valid()["WEBP"]
    return e.riff([e.vp8x(width, height, 0), (lossy[12:16], lossy[20:])])
