"""Animations of as many frames as ten megabytes hold, of which only the first matters."""

import struct
from collections.abc import Iterator
from functools import partial

from . import Case, Expected
from . import encode as e
from .sample_per_kind import valid

SIZE = 10_000_000
SMALLEST = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\0"


def cases(seed: int) -> Iterator[Case]:
    frame = e.gif_frame(8, 8, e.lzw_zeros(64))
    count = SIZE // len(SMALLEST)
    yield Case("animations", f"GIF, {count:,} frames", partial(e.gif, 8, 8, frame + SMALLEST * count), Expected.ANSWER)
    broken = frame + b"," * SIZE
    yield Case("animations", "GIF, broken from the second", partial(e.gif, 8, 8, broken), Expected.ANSWER)
    for declared in (0, 1, 2**31 - 1, 2**32 - 1):
        yield Case("animations", f"APNG of {declared:,} frames that are not there", partial(_apng, declared, b""))
    yield Case("animations", "APNG, 190,000 frames", partial(_apng, 190_000, _apng_frames(190_000)), Expected.ANSWER)
    yield Case("animations", "WEBP, 200,000 frames", partial(_webp, 200_000), Expected.EITHER)
    yield Case("animations", "WEBP, a frame outside", partial(_webp, 1, left=1000))
    yield Case("animations", "MPO, 65,535 pictures declared", partial(_mpo, 65_535))


def _apng(declared: int, frames: bytes) -> bytes:
    png = e.png(8, 8)
    control = e.chunk(b"acTL", struct.pack(">II", declared, 0))
    return png[:33] + control + _control(0) + png[33:-12] + frames + png[-12:]


def _control(number: int) -> bytes:
    return e.chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 8, 8, 0, 0, 1, 1, 0, 0))


def _apng_frames(count: int) -> bytes:
    return b"".join(map(_control, range(1, count + 1)))


def _webp(count: int, left: int = 0) -> bytes:
    image = e.encoded(e.noise(1, 1), "WEBP", lossless=True)
    frame = e.anmf(1, 1, e.webp_image(image), left)
    return e.riff([e.vp8x(8, 8, 0x02), (b"ANIM", bytes(6)), *[frame] * min(count, SIZE // (len(frame[1]) + 8))])


def _mpo(count: int) -> bytes:
    mpo = valid()["MPO"]
    place = mpo.index(b"\xb0\x01") if b"\xb0\x01" in mpo else mpo.index(b"\x01\xb0")
    return mpo[: place + 8] + struct.pack("<I", count) + mpo[place + 12 :]
