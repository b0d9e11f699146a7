"""Whole requests that are wrong: random and lying protobuf, JSON and HTTP, tensors of no size and of any size.

What ends Triton 2.51 stands apart, in `killer_cases`.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any, Final

from tritonclient.grpc import service_pb2

from genderprep.tensors import AVATAR, NICKNAME

from .cases import Case, Expected
from .cases.sample_per_kind import valid

MODEL: Final = "gender_mobilenet"
PATH: Final = f"/v2/models/{MODEL}/infer"
LENGTH: Final = "Inference-Header-Content-Length"
# What the front lets through: avatars of ten megabytes have to pass.
LARGEST: Final = 12_000_000
NUMBERS: Final = (-1, 0, 33, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1)
NAMES: Final = ("", "avatar", "AVATAR\0", "../preprocess", "a" * 10**6, "😀", "%s%n")
TYPES: Final = ("", "INT32", "FP32", "BOOL", "STRING", "bytes", "BYTES\0", "FP128")


def user(avatar: bytes, nickname: bytes) -> Any:
    """A valid request by gRPC."""
    request = service_pb2.ModelInferRequest(model_name=MODEL)
    for name, value in ((AVATAR, avatar), (NICKNAME, nickname)):
        request.inputs.add(name=name, datatype="BYTES", shape=[1, 1])
        request.raw_input_contents.append(len(value).to_bytes(4, "little") + value)
    return request


def post(body: bytes, headers: Mapping[str, Any] | None = None, path: str = PATH) -> bytes:
    """A POST as it goes over the wire; the headers may lie."""
    fields = {"Host": "localhost", "Connection": "close", "Content-Length": len(body), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def post_user(avatar: bytes, nickname: bytes) -> bytes:
    """A valid request by HTTP: binary tensors behind JSON that says how long they are."""
    tensors = [len(value).to_bytes(4, "little") + value for value in (avatar, nickname)]
    head = _json(sizes=[len(tensor) for tensor in tensors])
    return post(head + b"".join(tensors), {LENGTH: len(head)})


def grpc_cases(seed: int) -> Iterator[Case]:
    good = user(valid()["JPEG"], "小美".encode())
    content, dice = good.SerializeToString(), Random(seed)
    for number in range(150):
        yield Case("random protobuf", str(number), partial(_mutated, content, dice.random()))
    for length in range(0, 200, 10):
        yield Case("random protobuf", f"cut at {length}", partial(bytes, content[:length]))
    for number in NUMBERS:
        for shape in ([number], [number, 1], [1, number], [number, number], [number] * 8):
            yield Case("wrong shapes", f"gRPC, {shape}", partial(_changed, good, 0, shape=shape))
    yield Case("wrong shapes", "gRPC, of 100,000 numbers", partial(_changed, good, 0, shape=[1] * 100_000))
    yield Case("wrong shapes", "gRPC, none", partial(_changed, good, 0, shape=[]))
    for name in NAMES:
        yield Case("wrong names", f"gRPC, input {name[:20]!r}", partial(_changed, good, 0, name=name))
        yield Case("wrong names", f"gRPC, model {name[:20]!r}", partial(_request, good, model_name=name))
        yield Case("wrong names", f"gRPC, version {name[:20]!r}", partial(_request, good, model_version=name))
        yield Case("wrong names", f"gRPC, id {name[:20]!r}", partial(_request, good, id=name))
    for datatype in TYPES:
        yield Case("wrong types", f"gRPC, {datatype!r}", partial(_changed, good, 0, datatype=datatype))
    for name, tensor in _tensors().items():
        yield Case("lying lengths", f"gRPC, {name}", partial(_with_tensor, good, tensor))
    for name, tensor in _gigantic(LARGEST).items():
        yield Case("gigantic tensors", f"gRPC, {name}", partial(_with_tensor, good, tensor), Expected.REFUSAL)
    for count in (0, 1, 3, 10_000):
        yield Case("lying lengths", f"gRPC, {count} tensors for 2 inputs", partial(_with_tensors, good, count))


def _json_fields() -> Iterator[tuple[str, str, Sequence[Any]]]:
    """Fields of a JSON input and what they must not be, each told apart by its first twenty letters."""
    shapes = [shape for number in NUMBERS for shape in ([number], [number, 1], [1, number], [number, number])]
    yield "wrong shapes", "shape", shapes
    yield "wrong shapes", "shape", ([], None, "a", [1.5, 1], ["1", "1"], {"a": 1}, [[1, 1]], [1] * 10_000, [2**64, 1])
    yield "wrong names", "name", (*NAMES, None, 1, [], {})
    yield "wrong types", "datatype", (*TYPES, None, 1, [])
    texts: tuple[Any, ...] = ("a", [], ["a", "b"], [["a"], ["b"]], ["\0"])
    yield "wrong types", "data", (None, [1], [None], [[]], [{"a": 1}], [True], [1e400], {"a": 1}, *texts)


def killer_cases() -> Iterator[Case]:
    """What Triton 2.51 does not bear over HTTP: it dies, or takes all memory. `server.edge.reverse_proxy` has to stop these."""
    sound = _json()
    for depth in (200_000, 1_000_000):
        yield Case("JSON depth", f"{depth:,} brackets", partial(post, b"[" * depth))
        nested = sound[:-1] + b', "parameters": {"a": ' + b"[" * depth + b"]" * depth + b"}}"
        yield Case("JSON depth", f"{depth:,} brackets inside a request", partial(post, nested))
    for coding, window in (("gzip", 31), ("deflate", 15)):
        made = partial(_packed, coding, window, 500_000_000)
        yield Case("compressed bodies", f"500 MB of zeros by {coding}", made)
    yield Case("chunked bodies", "a million chunks of a byte", partial(_chunked, 1_000_000))
    for name, tensor in _gigantic(100_000_000).items():
        yield Case("gigantic tensors", name, partial(_binary, _json(sizes=[len(tensor), 5]), tensor + _counted(b"a")))


def http_cases(seed: int) -> Iterator[Case]:
    avatar, dice = valid()["JPEG"], Random(seed)
    good = post_user(avatar, "小美".encode())
    tensors = _counted(avatar) + _counted(b"a")
    head = _json(sizes=[len(avatar) + 4, 5])
    for number in range(100):
        yield Case("random HTTP", str(number), partial(_mutated, good, dice.random()))
    for length in (-1, 0, 1, len(head) - 1, len(head) + 1, 2**31, 2**63, 2**64, "a", "", "0x10", "1e9"):
        yield Case("lying lengths", f"HTTP, JSON of {length}", partial(post, head + tensors, {LENGTH: length}))
    for size in (-1, 0, 3, 4, len(avatar) + 3, len(avatar) + 5, 2**31, 2**63 - 1, 2**63, "a", None, 1.5, [1]):
        lying = _json(sizes=[size, 5])
        yield Case("lying lengths", f"HTTP, tensor of {size}", partial(post, lying + tensors, {LENGTH: len(lying)}))
    for name, tensor in _tensors().items():
        told = _json(sizes=[len(tensor), 5])
        yield Case("lying lengths", f"HTTP, {name}", partial(_binary, told, tensor + _counted(b"a")))
    for length in (-1, 2**31, 2**63 - 1, 2**64, "a", ""):
        yield Case("lying lengths", f"HTTP, body of {length}", partial(post, b"{}", {"Content-Length": length}))
    for kind, field, values in _json_fields():
        for value in values:
            yield Case(kind, f"HTTP, {field} {str(value)[:20]!r}", partial(_posted, **{field: value}))
    for text in (
        b"",
        b"{",
        b"[",
        b"null",
        b"1",
        b'"a"',
        b"{}",
        b"[]",
        b'{"inputs": 1}',
        b'{"inputs": [1]}',
        b"\xff\xfe",
    ):
        yield Case("malformed JSON", f"HTTP, {text!r}", partial(post, text))
    sound = _json()
    for length in range(1, len(sound), 16):
        yield Case("malformed JSON", f"HTTP, cut at {length}", partial(post, sound[:length]))
    for depth in (10, 100, 1000, 10_000):
        yield Case("malformed JSON", f"HTTP, {depth} brackets", partial(post, b"[" * depth))
        nested = sound[:-1] + b', "parameters": {"a": ' + b"[" * depth + b"]" * depth + b"}}"
        yield Case("malformed JSON", f"HTTP, {depth} brackets inside", partial(post, nested))
    yield Case("malformed JSON", "HTTP, 100,000 inputs", partial(_repeated, 100_000))
    yield Case("malformed JSON", "HTTP, a number of a million digits", partial(post, b'{"id": ' + b"9" * 10**6 + b"}"))
    for name, tensor in _gigantic(LARGEST).items():
        told = _json(sizes=[len(tensor), 5])
        made = partial(_binary, told, tensor + _counted(b"a"))
        yield Case("gigantic tensors", f"HTTP, {name}", made, Expected.REFUSAL)
    for coding in ("gzip", "deflate", "br", "zstd", "gzip, gzip", "a" * 1000):
        yield Case("other codings", f"HTTP, {coding[:20]}, not so", partial(post, sound, {"Content-Encoding": coding}))
    packed = partial(post, gzip.compress(sound), {"Content-Encoding": "gzip"})
    yield Case("other codings", "HTTP, gzip", packed, Expected.ANSWER)
    cut = partial(post, gzip.compress(sound)[:40], {"Content-Encoding": "gzip"})
    yield Case("other codings", "HTTP, gzip, cut", cut)
    for start in (
        b"",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\0" * 1000,
        b"POST / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ):
        yield Case("random HTTP", f"start {start[:20]!r}", partial(bytes, start))
    yield Case("random HTTP", "a path of a megabyte", partial(post, b"{}", path="/" + "a" * 10**6))
    yield Case("random HTTP", "a header of a megabyte", partial(post, b"{}", {"X": "a" * 10**6}))


def _counted(value: bytes) -> bytes:
    """An element of a BYTES tensor."""
    return len(value).to_bytes(4, "little") + value


def _gigantic(size: int) -> dict[str, bytes]:
    return {f"{size:,} bytes": _counted(bytes(size)), f"{size // 4:,} elements": bytes(size)}


def _tensors() -> dict[str, bytes]:
    """BYTES tensors whose elements are not as long as they say."""
    return {
        "no bytes": b"",
        "half a length": b"\x01\0",
        "a length alone": b"\x05\0\0\0",
        "one byte short": b"\x05\0\0\0abcd",
        "one byte more": b"\x03\0\0\0abcd",
        "4 GB": b"\xff\xff\xff\xffabcd",
        "2 GB": b"\xff\xff\xff\x7fabcd",
        "two elements": _counted(b"a") * 2,
        "10,000 elements": bytes(40_000),
    }


def _changed(good: Any, place: int, **fields: Any) -> bytes:
    request = _copy(good)
    for name, value in fields.items():
        if name == "shape":
            request.inputs[place].shape[:] = value
        else:
            setattr(request.inputs[place], name, value)
    content: bytes = request.SerializeToString()
    return content


def _request(good: Any, **fields: Any) -> bytes:
    request = _copy(good)
    for name, value in fields.items():
        setattr(request, name, value)
    content: bytes = request.SerializeToString()
    return content


def _with_tensor(good: Any, tensor: bytes) -> bytes:
    request = _copy(good)
    request.raw_input_contents[0] = tensor
    content: bytes = request.SerializeToString()
    return content


def _with_tensors(good: Any, count: int) -> bytes:
    request = _copy(good)
    request.raw_input_contents[:] = [_counted(b"a")] * count
    content: bytes = request.SerializeToString()
    return content


def _copy(good: Any) -> Any:
    request = service_pb2.ModelInferRequest()
    request.CopyFrom(good)
    return request


def _mutated(content: bytes, seed: float) -> bytes:
    """Bytes changed, cut out and doubled."""
    dice, changed = Random(seed), bytearray(content)
    for _ in range(dice.choice((1, 2, 4, 16))):
        # Most of a request is its avatar: what stands before that is what a server reads.
        place = dice.randrange(min(len(changed), dice.choice((64, 256, len(changed)))))
        match dice.randrange(3):
            case 0:
                changed[place] = dice.randrange(256)
            case 1:
                del changed[place : place + dice.randrange(1, 9)]
            case _:
                changed[place:place] = changed[place : place + dice.randrange(1, 33)]
    return bytes(changed)


def _json(sizes: list[Any] | None = None, **fields: Any) -> bytes:
    """The JSON of a request; `fields` change its first input, `sizes` announce binary tensors."""
    inputs: list[dict[str, Any]] = [{"name": name, "shape": [1, 1], "datatype": "BYTES"} for name in (AVATAR, NICKNAME)]
    for number, one in enumerate(inputs):
        one |= {"parameters": {"binary_data_size": sizes[number]}} if sizes else {"data": [""]}
    inputs[0] |= fields
    return json.dumps({"inputs": inputs}).encode()


def _packed(coding: str, window: int, size: int) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, window)
    content = b"".join(packer.compress(bytes(10**6)) for _ in range(size // 10**6)) + packer.flush()
    return post(content, {"Content-Encoding": coding})


def _chunked(count: int) -> bytes:
    head = post(b"", {"Content-Length": None, "Transfer-Encoding": "chunked"})
    return head + b"1\r\n[\r\n" * count + b"0\r\n\r\n"


def _posted(**fields: Any) -> bytes:
    return post(_json(**fields))


def _binary(head: bytes, tensors: bytes) -> bytes:
    return post(head + tensors, {LENGTH: len(head)})


def _repeated(count: int) -> bytes:
    one = {"name": AVATAR, "shape": [1, 1], "datatype": "BYTES", "data": [""]}
    return post(json.dumps({"inputs": [one] * count}).encode())
