"""Animations with as many frames as 10 MB can hold. Only the first frame is decoded."""

import struct
from collections.abc import Iterator
from functools import partial

from . import encode
from .case import Case, Expected, cases_of
from .valid_files import valid_files

SIZE = 10_000_000
SMALLEST_GIF_FRAME = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\0"
WEBP_FRAME_BYTES = 50


def cases() -> Iterator[Case]:
    frame = encode.gif_frame(8, 8, encode.lzw_zeros(64))
    count = SIZE // len(SMALLEST_GIF_FRAME)
    must_answer = {
        f"GIF, {count:,} frames": partial(encode.gif, 8, 8, frame + SMALLEST_GIF_FRAME * count),
        "GIF, broken from the second": partial(encode.gif, 8, 8, frame + b"," * SIZE),
        "APNG, 190,000 frames": partial(_apng, 190_000, 190_000),
    }
    yield from cases_of("animations", must_answer, Expected.ANSWER)
    for declared in (0, 1, 2**31 - 1, 2**32 - 1):
        yield Case("animations", f"APNG, {declared:,} frames declared, none present", partial(_apng, declared, 0))
    yield Case("animations", "WEBP, many frames", partial(encode.animated_webp, 8, 8, SIZE // WEBP_FRAME_BYTES))
    yield Case("animations", "WEBP, frame outside the canvas", partial(encode.animated_webp, 8, 8, 1, left=1000))
    yield Case("animations", "MPO, 65,535 pictures declared", partial(_mpo, 65_535))


def _apng(declared: int, frames: int) -> bytes:
    animation = encode.chunk(b"acTL", struct.pack(">II", declared, 0)) + _frame_control(0)
    more = b"".join(map(_frame_control, range(1, frames + 1)))
    return encode.with_chunks(encode.with_chunks(encode.png(8, 8), animation), more, after_data=True)


def _frame_control(number: int) -> bytes:
    return encode.chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 8, 8, 0, 0, 1, 1, 0, 0))


def _mpo(count: int) -> bytes:
    """Overwrite the number of pictures in the MP index."""
    mpo = valid_files()["MPO"]
    tag = mpo.index(b"\xb0\x01") if b"\xb0\x01" in mpo else mpo.index(b"\x01\xb0")
    return encode.patched(mpo, tag + 8, struct.pack("<I", count))
