"""Parts that gRPC and HTTP requests share."""

from random import Random
from typing import Final

MODEL: Final = "gender_mobilenet"
# The largest tensor that the reverse proxy accepts; it has to admit avatars of ten megabytes.
LARGEST: Final = 12_000_000
NUMBERS: Final = (-1, 0, 33, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1)
NAMES: Final = ("", "avatar", "AVATAR\0", "../preprocess", "a" * 10**6, "😀", "%s%n")
TYPES: Final = ("", "INT32", "FP32", "BOOL", "STRING", "bytes", "BYTES\0", "FP128")


def element(value: bytes) -> bytes:
    """Encode one element of a BYTES tensor: a length of four bytes, then the value."""
    return len(value).to_bytes(4, "little") + value


# BYTES tensors whose elements contradict the declared lengths or shape.
TENSORS: Final = {
    "no bytes": b"",
    "half a length": b"\x01\0",
    "a length alone": b"\x05\0\0\0",
    "one byte short": b"\x05\0\0\0abcd",
    "one byte more": b"\x03\0\0\0abcd",
    "4 GB declared": b"\xff\xff\xff\xffabcd",
    "2 GB declared": b"\xff\xff\xff\x7fabcd",
    "two elements": element(b"a") * 2,
    "10,000 elements": bytes(40_000),
}


def huge_tensors(size: int) -> dict[str, bytes]:
    """Return a tensor of one element and one of as many empty elements as possible, of `size` bytes each."""
    return {f"{size:,} bytes": element(bytes(size)), f"{size // 4:,} elements": bytes(size)}


def mutated(content: bytes, seed: float) -> bytes:
    """Overwrite, delete and duplicate bytes, most of them at the start, which holds more than the avatar."""
    rng, changed = Random(seed), bytearray(content)
    for _ in range(rng.choice((1, 2, 4, 16))):
        offset = rng.randrange(min(len(changed), rng.choice((64, 256, len(changed)))))
        match rng.randrange(3):
            case 0:
                changed[offset] = rng.randrange(256)
            case 1:
                del changed[offset : offset + rng.randrange(1, 9)]
            case _:
                changed[offset:offset] = changed[offset : offset + rng.randrange(1, 33)]
    return bytes(changed)
