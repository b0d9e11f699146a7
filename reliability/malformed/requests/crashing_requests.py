"""HTTP requests that make Triton 2.51 crash or use all memory. `server.edge` must reject them."""

import zlib
from collections.abc import Iterator
from functools import partial

from ..cases.case import Case
from .http_requests import CODING, nested_json, post, post_tensors
from .parts import huge_tensors


def cases() -> Iterator[Case]:
    for depth in (200_000, 1_000_000):
        yield Case("JSON depth", f"{depth:,} brackets", partial(post, b"[" * depth))
        yield Case("JSON depth", f"{depth:,} brackets inside a request", partial(post, nested_json(depth)))
    for coding, window_bits in (("gzip", 31), ("deflate", 15)):
        name = f"500 MB of zeros by {coding}"
        yield Case("compressed bodies", name, partial(_compressed, coding, window_bits, 500))
    yield Case("chunked bodies", "a million chunks of a byte", partial(_chunked, 1_000_000))
    for name, tensor in huge_tensors(100_000_000).items():
        yield Case("gigantic tensors", name, partial(post_tensors, tensor))


def _compressed(coding: str, window_bits: int, megabytes: int) -> bytes:
    compressor = zlib.compressobj(1, zlib.DEFLATED, window_bits)
    content = b"".join(compressor.compress(bytes(10**6)) for _ in range(megabytes)) + compressor.flush()
    return post(content, {CODING: coding})


def _chunked(count: int) -> bytes:
    head = post(b"", {"Content-Length": None, "Transfer-Encoding": "chunked"})
    return head + b"1\r\n[\r\n" * count + b"0\r\n\r\n"
