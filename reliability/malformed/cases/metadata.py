"""Metadata around the pixels: huge, circular or damaged EXIF, ICC and XMP, and text that inflates to gigabytes."""

import struct
import zlib
from collections.abc import Iterator
from functools import cache, partial

from . import encode
from .case import Case, Content, Expected, cases_of
from .valid_files import valid_files

ORIENTATION, RESOLUTION, EXIF_IFD = 0x0112, 0x011A, 0x8769
SHORT, LONG, RATIONAL, UNDEFINED = 3, 4, 5, 7
SIZE = 9_000_000


def cases() -> Iterator[Case]:
    for name, exif in _exif().items():
        expected = Expected.ANSWER if len(exif) < 60_000 else Expected.EITHER
        for image_format, embed in (("JPEG", _exif_in_jpeg), ("PNG", _exif_in_png), ("WEBP", _exif_in_webp)):
            yield Case("EXIF", f"{image_format}, {name}", partial(embed, exif), expected)
    yield from _profiles()
    yield from cases_of("text chunks", _texts())
    xmp = b"http://ns.adobe.com/xap/1.0/\0"
    yield Case("XMP", "JPEG, orientation 9", _in_jpeg(0xE1, xmp + b'tiff:Orientation="9"'), Expected.ANSWER)
    repeated = _in_jpeg(0xE1, xmp + b"tiff:Orientation" * 4000)
    yield Case("XMP", "JPEG, 4,000 unfinished orientations", repeated, Expected.ANSWER)
    for size in (0, 1, 7, 8, 11, 12, 13, 30):
        directory = b"MM\0\x2a\0\0\0\x08\xff\xff" + bytes(20)
        yield Case("MPF", f"JPEG, {size} bytes", _in_jpeg(0xE2, b"MPF\0" + directory[:size]))
    large_directory = _in_jpeg(0xE2, b"MPF\0" + _overlapping(65_000)[6:])
    yield Case("MPF", "JPEG, a directory of 5,000 large tags", large_directory)
    resources = b"Photoshop 3.0\0" + b"8BIM\x03\xed\0\0\x7f\xff\xff\xff" * 5000
    yield Case("Photoshop", "JPEG, blocks with wrong lengths", _in_jpeg(0xED, resources))


@cache
def _exif() -> dict[str, bytes]:
    """Return EXIF blocks by name."""
    four, eight = struct.pack(">I", 4), struct.pack(">I", 8)
    return {
        "empty": b"Exif\0\0",
        "half a header": b"Exif\0\0MM\0",
        "invalid byte order": b"Exif\0\0XX\0\x2a\0\0\0\x08",
        "65,535 entries declared, none present": encode.exif([])[:-6] + b"\xff\xff",
        "a directory followed by itself": encode.exif([(ORIENTATION, SHORT, 1, b"\0\x06\0\0")], next_directory=8),
        "a directory inside itself": encode.exif([(EXIF_IFD, LONG, 1, eight)]),
        "a directory out of range": encode.exif([(EXIF_IFD, LONG, 1, b"\xff\xff\xff\xff")]),
        "orientation 0": encode.exif([(ORIENTATION, SHORT, 1, bytes(4))]),
        "orientation 65,535": encode.exif([(ORIENTATION, SHORT, 1, b"\xff\xff\0\0")]),
        "orientation as text": encode.exif([(ORIENTATION, 2, 4, b"six\0")]),
        "orientation as four bytes": encode.exif([(ORIENTATION, UNDEFINED, 4, b"\0\0\0\6")]),
        "4 billion orientations declared": encode.exif([(ORIENTATION, SHORT, 2**32 - 1, four)]),
        "orientation divided by zero": encode.exif([(ORIENTATION, RATIONAL, 1, struct.pack(">I", 26))], bytes(8)),
        "unknown type": encode.exif([(ORIENTATION, 99, 1, four)]),
        "60,000 zero bytes": encode.exif([], bytes(59_000)),
        "4,000 orientations": encode.exif([(ORIENTATION, SHORT, 1, b"\0\x03\0\0")] * 4000),
        "9 MB of zero bytes": encode.exif([], bytes(SIZE)),
        "9 MB of orientations": encode.exif([(ORIENTATION, SHORT, SIZE // 2, struct.pack(">I", 26))], bytes(SIZE)),
        "9 MB of rational orientations": _large(ORIENTATION),
        "9 MB of rational resolutions": _large(RESOLUTION),
        "60 KB of overlapping tags": _overlapping(60_000),
        "9 MB of overlapping tags": _overlapping(SIZE),
        "65,535 tags": encode.exif([(tag, LONG, 1, four) for tag in range(65_535)]),
    }


def _large(tag: int) -> bytes:
    unit = (0x0128, SHORT, 1, b"\0\2\0\0")
    return encode.exif([(tag, RATIONAL, SIZE // 8, struct.pack(">I", 38)), unit], b"\0\0\0\1" * (SIZE // 4))


def _overlapping(size: int) -> bytes:
    """Return as many tags as fit into `size` bytes, each of which spans all of them."""
    count = min(size // 12 - 10, 65_535)
    entries = [(tag, UNDEFINED, size - 64, struct.pack(">I", 0)) for tag in range(count)]
    return encode.exif(entries, bytes(max(0, size - 12 * count)))


def _profiles() -> Iterator[Case]:
    png, webp = valid_files()["PNG"], valid_files()["WEBP"]
    for parts in (0, 1, 2, 255):
        part = b"ICC_PROFILE\0" + bytes([1, parts]) + bytes(1000)
        yield Case("ICC", f"JPEG, part 1 of {parts}", _in_jpeg(0xE2, part), Expected.ANSWER)
    yield Case("ICC", "JPEG, no part", _in_jpeg(0xE2, b"ICC_PROFILE\0"))
    full = [b"ICC_PROFILE\0" + bytes([part, 150]) + bytes(65_000) for part in range(1, 151)]
    yield Case("ICC", "JPEG, 9.7 MB", _in_jpeg(0xE2, *full), Expected.ANSWER)
    for size in (0, 1000, 10**6, 10**9):
        profile = encode.chunk(b"iCCP", b"icc\0\0" + encode.deflated_zeros(size))
        # Pillow inflates up to a megabyte.
        expected = Expected.ANSWER if size <= 10**6 else Expected.REFUSAL
        yield Case("ICC", f"PNG, {size} bytes", encode.with_chunks(png, profile), expected)
    chunks = [encode.vp8x(48, 48, 0x20), (b"ICCP", bytes(SIZE)), encode.webp_chunk(webp)]
    yield Case("ICC", "WEBP, 9 MB", partial(encode.riff, chunks), Expected.ANSWER)


def _texts() -> dict[str, Content]:
    """Return PNGs with text chunks, which are compressed and inflate when they are read."""
    bomb, large = encode.deflated_zeros(10**9), zlib.compress(bytes(10**6))
    chunks = {
        "zTXt of a gigabyte": encode.chunk(b"zTXt", b"key\0\0" + bomb),
        "iTXt of a gigabyte": encode.chunk(b"iTXt", b"key\0\1\0\0\0" + bomb),
        "1,000 zTXt of a megabyte": encode.chunk(b"zTXt", b"key\0\0" + large) * 1000,
        "1,000 iTXt of a megabyte": encode.chunk(b"iTXt", b"key\0\1\0\0\0" + large) * 1000,
        "unknown compression": encode.chunk(b"zTXt", b"key\0\xff" + large),
        "9 MB of tEXt": encode.chunk(b"tEXt", b"key\0" + b"a" * SIZE),
        "no keyword": encode.chunk(b"tEXt", b""),
        "EXIF in hexadecimal": encode.chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 8\nnot hexadecimal"),
        "9 MB of EXIF in hexadecimal": encode.chunk(b"tEXt", b"Raw profile type exif\0\n\n\n" + b"00" * (SIZE // 2)),
    }
    png = valid_files()["PNG"]
    return {
        f"PNG, {name}{', after the data' * after_data}": partial(encode.with_chunks, png, chunk, after_data)
        for name, chunk in chunks.items()
        for after_data in (False, True)
    }


def _in_jpeg(marker: int, *contents: bytes) -> bytes:
    segments = b"".join(encode.segment(marker, content) for content in contents)
    return encode.with_segments(valid_files()["JPEG"], segments)


def _exif_in_jpeg(exif: bytes) -> bytes:
    """Embed EXIF in place of JFIF, since Pillow then reads it on opening. Large EXIF takes several segments."""
    jpeg = valid_files()["JPEG"]
    parts = (exif[start : start + 65_000] for start in range(6, max(len(exif), 7), 65_000))
    return encode.SOI + b"".join(encode.segment(0xE1, b"Exif\0\0" + part) for part in parts) + jpeg[20:]


def _exif_in_png(exif: bytes) -> bytes:
    return encode.with_chunks(valid_files()["PNG"], encode.chunk(b"eXIf", exif[6:]))


def _exif_in_webp(exif: bytes) -> bytes:
    image = encode.webp_chunk(valid_files()["WEBP"])
    return encode.riff([encode.vp8x(48, 48, 0x08), image, (b"EXIF", exif)])
