"""What surrounds the pixels: EXIF that is huge, circular or damaged, ICC, XMP, text that unpacks to far more."""

import struct
import zlib
from collections.abc import Iterator
from functools import cache, partial

from . import Case, Expected
from . import encode as e
from .sample_per_kind import valid

ORIENTATION, RESOLUTION, EXIF_IFD = 0x0112, 0x011A, 0x8769
SHORT, LONG, RATIONAL, UNDEFINED = 3, 4, 5, 7
SIZE = 9_000_000


def cases(seed: int) -> Iterator[Case]:
    for name, tags in _tags().items():
        for kind, carry in (("JPEG", _in_jpeg), ("PNG", _in_png), ("WEBP", _in_webp)):
            expected = Expected.ANSWER if len(tags) < 60_000 else Expected.EITHER
            yield Case("EXIF", f"{kind}, {name}", partial(carry, tags), expected)
    yield from _profiles()
    yield from _texts()
    yield Case("XMP", "JPEG, orientation 9", partial(_xmp, b'tiff:Orientation="9"'), Expected.ANSWER)
    yield Case("XMP", "JPEG, 65,000 beginnings", partial(_xmp, b"tiff:Orientation" * 4000), Expected.ANSWER)
    for size in (0, 1, 7, 8, 11, 12, 13, 30):
        yield Case("MPF", f"JPEG, {size} bytes", partial(_mpf, b"MM\0\x2a\0\0\0\x08\xff\xff" + bytes(20), size))
    yield Case("MPF", "JPEG, a directory of 5,000 large tags", partial(_mpf, _overlapping(65_000)[6:], None))
    yield Case("Photoshop", "JPEG, blocks that lie", partial(_photoshop, b"8BIM\x03\xed\0\0\x7f\xff\xff\xff" * 5000))


@cache
def _tags() -> dict[str, bytes]:
    """EXIF that nobody writes."""
    four, eight = struct.pack(">I", 4), struct.pack(">I", 8)
    return {
        "empty": b"Exif\0\0",
        "half a head": b"Exif\0\0MM\0",
        "no order of bytes": b"Exif\0\0XX\0\x2a\0\0\0\x08",
        "65,535 entries, none there": e.exif([])[:-6] + b"\xff\xff",
        "a directory that follows itself": e.exif([(ORIENTATION, SHORT, 1, b"\0\x06\0\0")], following=8),
        "a directory inside itself": e.exif([(EXIF_IFD, LONG, 1, eight)]),
        "a directory before the file": e.exif([(EXIF_IFD, LONG, 1, b"\xff\xff\xff\xff")]),
        "orientation 0": e.exif([(ORIENTATION, SHORT, 1, bytes(4))]),
        "orientation 65,535": e.exif([(ORIENTATION, SHORT, 1, b"\xff\xff\0\0")]),
        "orientation as text": e.exif([(ORIENTATION, 2, 4, b"six\0")]),
        "orientation as four bytes": e.exif([(ORIENTATION, UNDEFINED, 4, b"\0\0\0\6")]),
        "orientation of 4 billion": e.exif([(ORIENTATION, SHORT, 2**32 - 1, four)]),
        "orientation divided by zero": e.exif([(ORIENTATION, RATIONAL, 1, struct.pack(">I", 26))], bytes(8)),
        "an unknown type": e.exif([(ORIENTATION, 99, 1, four)]),
        "60,000 bytes of nothing": e.exif([], bytes(59_000)),
        "4,000 orientations": e.exif([(ORIENTATION, SHORT, 1, b"\0\x03\0\0")] * 4000),
        "9 MB of nothing": e.exif([], bytes(SIZE)),
        "9 MB of orientations": e.exif([(ORIENTATION, SHORT, SIZE // 2, struct.pack(">I", 26))], bytes(SIZE)),
        "9 MB of rational orientations": _large(ORIENTATION),
        "9 MB of rational resolutions": _large(RESOLUTION),
        "60 KB of tags that overlap": _overlapping(60_000),
        "9 MB of tags that overlap": _overlapping(SIZE),
        "65,535 tags": e.exif([(tag, LONG, 1, four) for tag in range(65_535)]),
    }


def _large(tag: int) -> bytes:
    unit = (0x0128, SHORT, 1, b"\0\2\0\0")
    return e.exif([(tag, RATIONAL, SIZE // 8, struct.pack(">I", 38)), unit], b"\0\0\0\1" * (SIZE // 4))


def _overlapping(size: int) -> bytes:
    """As many tags as fit, each of which claims everything."""
    count = min(size // 12 - 10, 65_535)
    entries = [(tag, UNDEFINED, size - 64, struct.pack(">I", 0)) for tag in range(count)]
    return e.exif(entries, bytes(max(0, size - 12 * count)))


def _profiles() -> Iterator[Case]:
    jpeg, png = valid()["JPEG"], valid()["PNG"]
    for parts in (0, 1, 2, 255):
        segment = e.segment(0xE2, b"ICC_PROFILE\0" + bytes([1, parts]) + bytes(1000))
        yield Case("ICC", f"JPEG, part 1 of {parts}", partial(e.with_segments, jpeg, segment), Expected.ANSWER)
    short = e.segment(0xE2, b"ICC_PROFILE\0")
    yield Case("ICC", "JPEG, no part", partial(e.with_segments, jpeg, short))
    full = b"".join(e.segment(0xE2, b"ICC_PROFILE\0" + bytes([part, 150]) + bytes(65_000)) for part in range(1, 151))
    yield Case("ICC", "JPEG, 9.7 MB", partial(e.with_segments, jpeg, full), Expected.ANSWER)
    for size in (0, 1000, 10**6, 10**9):
        profile = e.chunk(b"iCCP", b"icc\0\0" + e.deflated_zeros(size))
        # Pillow unpacks a megabyte.
        expected = Expected.ANSWER if size <= 10**6 else Expected.REFUSAL
        yield Case("ICC", f"PNG, {size} bytes", partial(bytes, png[:33] + profile + png[33:]), expected)
    webp = valid()["WEBP"]
    chunks = [e.vp8x(48, 48, 0x20), (b"ICCP", bytes(SIZE)), (webp[12:16], webp[20:])]
    yield Case("ICC", "WEBP, 9 MB", partial(e.riff, chunks), Expected.ANSWER)


def _texts() -> Iterator[Case]:
    """Text in a PNG is compressed: a bomb where a decoder unpacks it."""
    png = valid()["PNG"]
    bomb, large = e.deflated_zeros(10**9), zlib.compress(bytes(10**6))
    for name, chunk in (
        ("zTXt of a gigabyte", e.chunk(b"zTXt", b"key\0\0" + bomb)),
        ("iTXt of a gigabyte", e.chunk(b"iTXt", b"key\0\1\0\0\0" + bomb)),
        ("1,000 zTXt of a megabyte", e.chunk(b"zTXt", b"key\0\0" + large) * 1000),
        ("1,000 iTXt of a megabyte", e.chunk(b"iTXt", b"key\0\1\0\0\0" + large) * 1000),
        ("an unknown compression", e.chunk(b"zTXt", b"key\0\xff" + large)),
        ("9 MB of tEXt", e.chunk(b"tEXt", b"key\0" + b"a" * SIZE)),
        ("no keyword", e.chunk(b"tEXt", b"")),
        ("EXIF in hexadecimal", e.chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 8\nnot hexadecimal")),
        ("9 MB of EXIF in hexadecimal", e.chunk(b"tEXt", b"Raw profile type exif\0\n\n\n" + b"00" * (SIZE // 2))),
    ):
        yield Case("text chunks", f"PNG, {name}", partial(bytes, png[:33] + chunk + png[33:]))
        yield Case("text chunks", f"PNG, {name}, behind the data", partial(bytes, png[:-12] + chunk + png[-12:]))


def _in_jpeg(tags: bytes) -> bytes:
    """Without JFIF: Pillow then looks into EXIF while it opens. Several segments where one is too short."""
    jpeg = valid()["JPEG"]
    parts = (tags[start : start + 65_000] for start in range(6, max(len(tags), 7), 65_000))
    return e.SOI + b"".join(e.segment(0xE1, b"Exif\0\0" + part) for part in parts) + jpeg[20:]


def _in_png(tags: bytes) -> bytes:
    png = valid()["PNG"]
    return png[:33] + e.chunk(b"eXIf", tags[6:]) + png[33:]


def _in_webp(tags: bytes) -> bytes:
    webp = valid()["WEBP"]
    return e.riff([e.vp8x(48, 48, 0x08), (webp[12:16], webp[20:]), (b"EXIF", tags)])


def _xmp(text: bytes) -> bytes:
    return e.with_segments(valid()["JPEG"], e.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + text))


def _mpf(directory: bytes, size: int | None) -> bytes:
    return e.with_segments(valid()["JPEG"], e.segment(0xE2, b"MPF\0" + directory[:size]))


def _photoshop(blocks: bytes) -> bytes:
    return e.with_segments(valid()["JPEG"], e.segment(0xED, b"Photoshop 3.0\0" + blocks))
