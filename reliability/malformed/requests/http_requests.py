"""Malformed HTTP requests: random bytes, wrong lengths, JSON and content codings, and tensors that contradict them."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any, Final

from genderprep.tensors import AVATAR, NICKNAME

from ..cases.case import Case, Expected, cases_of
from ..cases.valid_files import valid_files
from .parts import LARGEST, MODEL, NAMES, NUMBERS, TENSORS, TYPES, element, huge_tensors, mutated

PATH: Final = f"/v2/models/{MODEL}/infer"
LENGTH: Final = "Inference-Header-Content-Length"
CODING: Final = "Content-Encoding"
JSON_TEXTS: Final = (
    *(b"", b"{", b"[", b"null", b"1", b'"a"', b"{}", b"[]"),
    *(b'{"inputs": 1}', b'{"inputs": [1]}', b"\xff\xfe"),
)
STARTS: Final = (
    *(b"", b"\r\n\r\n", b"GET\r\n\r\n", b"\0" * 1000, b"POST / HTTP/9.9\r\n\r\n"),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)
# A valid second input.
NICKNAME_TENSOR: Final = element(b"a")


def post(body: bytes, headers: Mapping[str, Any] | None = None, path: str = PATH) -> bytes:
    """Return the bytes of a POST; `headers` override the correct ones, None removes one."""
    fields = {"Host": "localhost", "Connection": "close", "Content-Length": len(body), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def http_request(avatar: bytes, nickname: bytes) -> bytes:
    """Return a POST with binary tensors."""
    return post_tensors(element(avatar), element(nickname))


def post_tensors(avatar: bytes, nickname: bytes = NICKNAME_TENSOR) -> bytes:
    """Return a POST whose JSON declares the sizes of two tensors correctly, whatever they contain."""
    head = request_json(sizes=[len(avatar), len(nickname)])
    return post(head + avatar + nickname, {LENGTH: len(head)})


def request_json(sizes: Sequence[Any] | None = None, **fields: Any) -> bytes:
    """Return the JSON of a request; `fields` override its first input, `sizes` declare binary tensors."""
    inputs: list[dict[str, Any]] = [{"name": name, "shape": [1, 1], "datatype": "BYTES"} for name in (AVATAR, NICKNAME)]
    for number, one in enumerate(inputs):
        one |= {"parameters": {"binary_data_size": sizes[number]}} if sizes else {"data": [""]}
    inputs[0] |= fields
    return json.dumps({"inputs": inputs}).encode()


def nested_json(depth: int) -> bytes:
    """Return a valid request with a parameter of `depth` nested arrays."""
    return request_json()[:-1] + b', "parameters": {"a": ' + b"[" * depth + b"]" * depth + b"}}"


def cases(seed: int) -> Iterator[Case]:
    avatar, rng = valid_files()["JPEG"], Random(seed)
    valid = http_request(avatar, "小美".encode())
    for number in range(100):
        yield Case("random HTTP", str(number), partial(mutated, valid, rng.random()))
    for start in STARTS:
        yield Case("random HTTP", f"start {start[:20]!r}", start)
    yield Case("random HTTP", "a path of a megabyte", partial(post, b"{}", path="/" + "a" * 10**6))
    yield Case("random HTTP", "a header of a megabyte", partial(post, b"{}", {"X": "a" * 10**6}))
    yield from _lengths(element(avatar))
    for name, tensor in huge_tensors(LARGEST).items():
        yield Case("gigantic tensors", f"HTTP, {name}", partial(post_tensors, tensor), Expected.REFUSAL)
    for kind, field, values in _wrong_fields():
        for value in values:
            body = request_json(**{field: value})
            yield Case(kind, f"HTTP, {field} {str(value)[:40]!r}", partial(post, body))
    yield from _malformed_json()
    yield from _codings()


def _lengths(avatar: bytes) -> Iterator[Case]:
    tensors = avatar + NICKNAME_TENSOR
    head = request_json(sizes=[len(avatar), len(NICKNAME_TENSOR)])
    for length in (-1, 0, 1, len(head) - 1, len(head) + 1, 2**31, 2**63, 2**64, "a", "", "0x10", "1e9"):
        yield Case("lying lengths", f"HTTP, JSON of {length}", partial(post, head + tensors, {LENGTH: length}))
    for size in (-1, 0, 3, 4, len(avatar) - 1, len(avatar) + 1, 2**31, 2**63 - 1, 2**63, "a", None, 1.5, [1]):
        lying = request_json(sizes=[size, len(NICKNAME_TENSOR)])
        yield Case("lying lengths", f"HTTP, tensor of {size}", partial(post, lying + tensors, {LENGTH: len(lying)}))
    for name, tensor in TENSORS.items():
        yield Case("lying lengths", f"HTTP, {name}", partial(post_tensors, tensor))
    for length in (-1, 2**31, 2**63 - 1, 2**64, "a", ""):
        yield Case("lying lengths", f"HTTP, body of {length}", partial(post, b"{}", {"Content-Length": length}))


def _wrong_fields() -> Iterator[tuple[str, str, Sequence[Any]]]:
    """Yield kinds, fields of a JSON input, and wrong values. The first 40 characters of a value are unique."""
    shapes = [shape for number in NUMBERS for shape in ([number], [number, 1], [1, number], [number, number])]
    yield "wrong shapes", "shape", shapes
    yield "wrong shapes", "shape", ([], None, "a", [1.5, 1], ["1", "1"], {"a": 1}, [[1, 1]], [1] * 10_000, [2**64, 1])
    yield "wrong names", "name", (*NAMES, None, 1, [], {})
    yield "wrong types", "datatype", (*TYPES, None, 1, [])
    texts: tuple[Any, ...] = ("a", [], ["a", "b"], [["a"], ["b"]], ["\0"])
    yield "wrong types", "data", (None, [1], [None], [[]], [{"a": 1}], [True], [1e400], {"a": 1}, *texts)


def _malformed_json() -> Iterator[Case]:
    valid = request_json()
    bodies = {repr(text): text for text in JSON_TEXTS}
    bodies |= {f"cut at {length}": valid[:length] for length in range(1, len(valid), 16)}
    for depth in (10, 100, 1000, 10_000):
        bodies |= {f"{depth} brackets": b"[" * depth, f"{depth} brackets inside": nested_json(depth)}
    bodies["a number of a million digits"] = b'{"id": ' + b"9" * 10**6 + b"}"
    one_input = {"name": AVATAR, "shape": [1, 1], "datatype": "BYTES", "data": [""]}
    bodies["100,000 inputs"] = json.dumps({"inputs": [one_input] * 100_000}).encode()
    yield from cases_of("malformed JSON", {f"HTTP, {name}": partial(post, body) for name, body in bodies.items()})


def _codings() -> Iterator[Case]:
    valid = request_json()
    for coding in ("gzip", "deflate", "br", "zstd", "gzip, gzip", "a" * 1000):
        yield Case("other codings", f"HTTP, {coding[:20]}, not compressed", partial(post, valid, {CODING: coding}))
    compressed = gzip.compress(valid, mtime=0)
    yield Case("other codings", "HTTP, gzip", partial(post, compressed, {CODING: "gzip"}), Expected.ANSWER)
    yield Case("other codings", "HTTP, gzip, cut", partial(post, compressed[:40], {CODING: "gzip"}))
