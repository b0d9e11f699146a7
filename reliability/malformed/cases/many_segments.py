"""Files of 10 MB that consist of millions of tiny or empty segments, chunks or blocks."""

import struct
import zlib
from collections.abc import Iterator
from functools import partial

from . import encode
from .case import Case, Content, cases_of
from .valid_files import valid_files

SIZE = 10_000_000


def cases() -> Iterator[Case]:
    yield from cases_of("many segments", _jpeg() | _png() | _gif() | _webp())


def _jpeg() -> dict[str, Content]:
    jpeg = valid_files()["JPEG"]
    return {
        "JPEG, 10 MB of empty comments": partial(_segments, jpeg, 0xFE),
        "JPEG, 10 MB of empty APP1": partial(_segments, jpeg, 0xE1),
        "JPEG, 10 MB of Huffman tables": partial(_huffman_tables, jpeg),
        "JPEG, 10 MB between two markers": partial(encode.with_segments, jpeg, bytes(SIZE)),
        "JPEG, 10 MB of FF": partial(encode.with_segments, jpeg, b"\xff" * SIZE),
    }


def _png() -> dict[str, Content]:
    pixels = zlib.compress(bytes(64 * 193))
    bytewise = b"".join(encode.chunk(b"IDAT", bytes([byte])) for byte in pixels)
    files: dict[str, Content] = {"PNG, one byte of data per chunk": encode.png_of(encode.ihdr(64, 64) + bytewise)}
    for kind in (b"IDAT", b"tEXt", b"prVt", b"acTL"):
        files[f"PNG, 10 MB of empty {kind.decode()}"] = partial(_chunks, kind)
    return files


def _gif() -> dict[str, Content]:
    frame = encode.gif_frame(8, 8, encode.lzw_zeros(64))
    files: dict[str, Content] = {
        "GIF, a comment of 5 million blocks": lambda: encode.gif(
            8, 8, b"!\xfe" + b"\x01a" * (SIZE // 2) + b"\0" + frame
        ),
        "GIF, 10 MB before the frame": lambda: encode.gif(8, 8, bytes(SIZE) + frame),
        "GIF, one byte of codes per block": partial(_small_blocks, 2000),
    }
    for label in (0xFE, 0xFF, 0x00):
        files[f"GIF, 10 MB of extensions {label:02X}"] = partial(_extensions, label, b"\x01a\0", frame)
        files[f"GIF, 10 MB of empty {label:02X}"] = partial(_extensions, label, b"\0", frame)
    return files


def _webp() -> dict[str, Content]:
    image = encode.webp_chunk(valid_files()["WEBP"])
    empty = [(b"JUNK", b"")] * (SIZE // 8)
    return {
        "WEBP, 10 MB of empty chunks": partial(encode.riff, [*empty, image]),
        "WEBP, 10 MB of empty chunks after the image": partial(encode.riff, [encode.vp8x(48, 48, 0), image, *empty]),
    }


def _segments(jpeg: bytes, marker: int) -> bytes:
    return encode.with_segments(jpeg, encode.segment(marker, b"") * (SIZE // 4))


def _huffman_tables(jpeg: bytes) -> bytes:
    """Put the tables between the frame and the scan, where a decoder has to read all of them."""
    scan = jpeg.index(b"\xff\xda")
    table = encode.segment(0xC4, b"\0" + bytes(16))
    return jpeg[:scan] + table * (SIZE // len(table)) + jpeg[scan:]


def _chunks(kind: bytes) -> bytes:
    data = encode.chunk(b"IDAT", zlib.compress(bytes(8 * 25)))
    return encode.png_of(encode.ihdr(8, 8) + encode.chunk(kind, b"") * (SIZE // 12) + data)


def _extensions(label: int, content: bytes, frame: bytes) -> bytes:
    extension = struct.pack("BB", ord("!"), label) + content
    return encode.gif(8, 8, extension * (SIZE // len(extension)) + frame)


def _small_blocks(side: int) -> bytes:
    frame = encode.gif_frame(side, side, b"")[:-1] + encode.sub_blocks(encode.lzw_zeros(side * side), size=1)
    return encode.gif(side, side, frame)
