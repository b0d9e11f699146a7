"""Malformed gRPC requests: random protobuf, and wrong names, shapes, types and tensors."""

from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from typing import Any

from tritonclient.grpc import service_pb2

from genderprep.tensors import AVATAR, NICKNAME

from ..cases.case import Case, Expected
from ..cases.valid_files import valid_files
from .parts import LARGEST, MODEL, NAMES, NUMBERS, TENSORS, TYPES, element, huge_tensors, mutated


def grpc_request(avatar: bytes, nickname: bytes) -> bytes:
    """Return a serialized ModelInferRequest."""
    return _serialized(_message(avatar, nickname))


def cases(seed: int) -> Iterator[Case]:
    content, rng = _with_field("model_name", MODEL), Random(seed)
    for number in range(150):
        yield Case("random protobuf", str(number), partial(mutated, content, rng.random()))
    for length in range(0, 200, 10):
        yield Case("random protobuf", f"cut at {length}", content[:length])
    for number in NUMBERS:
        for shape in ([number], [number, 1], [1, number], [number, number], [number] * 8):
            yield Case("wrong shapes", f"gRPC, {shape}", partial(_with_shape, shape))
    yield Case("wrong shapes", "gRPC, 100,000 dimensions", partial(_with_shape, [1] * 100_000))
    yield Case("wrong shapes", "gRPC, no dimensions", partial(_with_shape, []))
    for name in NAMES:
        yield Case("wrong names", f"gRPC, input {name[:20]!r}", partial(_with_input_field, "name", name))
        for field in ("model_name", "model_version", "id"):
            yield Case("wrong names", f"gRPC, {field} {name[:20]!r}", partial(_with_field, field, name))
    for datatype in TYPES:
        yield Case("wrong types", f"gRPC, {datatype!r}", partial(_with_input_field, "datatype", datatype))
    nickname = element("小美".encode())
    for name, tensor in TENSORS.items():
        yield Case("lying lengths", f"gRPC, {name}", partial(_with_tensors, [tensor, nickname]))
    for name, tensor in huge_tensors(LARGEST).items():
        yield Case("gigantic tensors", f"gRPC, {name}", partial(_with_tensors, [tensor, nickname]), Expected.REFUSAL)
    for count in (0, 1, 3, 10_000):
        tensors = partial(_with_tensors, [element(b"a")] * count)
        yield Case("lying lengths", f"gRPC, {count} tensors for 2 inputs", tensors)


def _message(avatar: bytes, nickname: bytes) -> Any:
    message = service_pb2.ModelInferRequest(model_name=MODEL)
    for name, value in ((AVATAR, avatar), (NICKNAME, nickname)):
        message.inputs.add(name=name, datatype="BYTES", shape=[1, 1])
        message.raw_input_contents.append(element(value))
    return message


def _valid_message() -> Any:
    return _message(valid_files()["JPEG"], "小美".encode())


def _serialized(message: Any) -> bytes:
    content: bytes = message.SerializeToString()
    return content


def _with_field(field: str, value: str) -> bytes:
    message = _valid_message()
    setattr(message, field, value)
    return _serialized(message)


def _with_input_field(field: str, value: str) -> bytes:
    message = _valid_message()
    setattr(message.inputs[0], field, value)
    return _serialized(message)


def _with_shape(shape: Sequence[int]) -> bytes:
    message = _valid_message()
    message.inputs[0].shape[:] = shape
    return _serialized(message)


def _with_tensors(tensors: Sequence[bytes]) -> bytes:
    message = _valid_message()
    message.raw_input_contents[:] = tensors
    return _serialized(message)
