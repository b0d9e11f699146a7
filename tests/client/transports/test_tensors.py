"""Typed tensors, and every type through a real server over both protocols."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import serialize_byte_tensor

from genderclient import BytesTensor, FloatTensor, InferenceRequest, InferenceResponse, Tensor, TransportError
from genderclient._config.connection_options import ConnectionOptions
from genderclient._transports import open_async_transport, open_transport
from genderclient._transports.connection import HttpResponse
from genderclient._transports.contents import to_bytes
from genderclient._transports.credentials import Credentials
from genderclient._transports.grpc import decode_response as decode_grpc_response
from genderclient._transports.grpc import encode_request
from genderclient._transports.http_messages import decode_response
from genderclient._transports.url import ServerUrl
from tests.support.client.model_repository import add_model
from tests.support.tritonserver import running_triton

DTYPES = {
    "BYTES": "TYPE_STRING",
    "INT64": "TYPE_INT64",
    "FP32": "TYPE_FP32",
    "FP64": "TYPE_FP64",
    "UINT8": "TYPE_UINT8",
    "BOOL": "TYPE_BOOL",
}
TENSORS = (
    Tensor("BYTES", np.array([[b"\x89PNG\0\0", "X国强🌸".encode(), b""]], np.object_)),
    Tensor("INT64", np.array([[2**62, -1, 0]])),
    Tensor("FP32", np.array([[0.1, -0.0]], np.float32)),
    Tensor("FP64", np.array([[0.1]])),
    Tensor("UINT8", np.zeros((1, 0), np.uint8)),
    Tensor("BOOL", np.array([[True, False]])),
)


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ServerUrl]]:
    def declare(prefix: str) -> str:
        return ", ".join(
            f'{{ name: "{prefix}{name}" data_type: {kind} dims: [ -1 ] }}' for name, kind in DTYPES.items()
        )

    repository = tmp_path_factory.mktemp("models")
    config = f'backend: "python" max_batch_size: 8 input [ {declare("")} ] output [ {declare("OUT_")} ]'
    add_model(repository, "echo", config, code="echo_model")
    with running_triton(repository) as triton:
        addresses = {"grpc": triton.grpc_url, "http": triton.http_url}
        yield {scheme: ServerUrl.parse(f"{scheme}://{address}") for scheme, address in addresses.items()}


def infer(url: ServerUrl, request: InferenceRequest) -> InferenceResponse:
    transport = open_transport(url, Credentials(), ConnectionOptions())
    try:
        return transport.infer(request)
    finally:
        transport.close()


def infer_async(url: ServerUrl, request: InferenceRequest) -> InferenceResponse:
    async def run() -> InferenceResponse:
        transport = open_async_transport(url, Credentials(), ConnectionOptions())
        try:
            return await transport.infer(request)
        finally:
            await transport.close()

    return asyncio.run(run())


@pytest.mark.parametrize("scheme", ["grpc", "http"])
@pytest.mark.parametrize("send", [infer, infer_async])
def test_every_type_returns_unchanged(urls: dict[str, ServerUrl], scheme: str, send: object) -> None:
    assert callable(send)
    response = send(urls[scheme], InferenceRequest(model="echo", inputs=TENSORS, timeout_s=20))
    outputs = {tensor.name: tensor for tensor in response.outputs}
    assert set(outputs) == {f"OUT_{tensor.name}" for tensor in TENSORS}
    for sent in TENSORS:
        received = outputs[f"OUT_{sent.name}"]
        assert (received.datatype, received.shape) == (sent.name, sent.shape)
        np.testing.assert_array_equal(received.array, sent.array)


def test_constructors() -> None:
    text, numbers = BytesTensor("A", b"\0\0"), FloatTensor("B", (1, 2), (0.25, 0.75))
    assert (text.datatype, text.shape, text.value, text.nbytes) == ("BYTES", (1, 1), b"\0\0", 2)
    assert (numbers.datatype, numbers.shape, numbers.values, numbers.nbytes) == ("FP32", (1, 2), (0.25, 0.75), 8)


def test_repr_omits_values() -> None:
    assert repr(BytesTensor("AVATAR", b"secret")) == "BytesTensor('AVATAR', object, [1, 1])"


def test_unsupported_dtype_is_rejected() -> None:
    with pytest.raises(TypeError, match="tensor A: dtype complex128 is not supported"):
        assert Tensor("A", np.zeros(1, complex)).datatype


def decode(output: bytes) -> InferenceResponse:
    body = b'{"model_name":"m","outputs":[' + output + b"]}"
    return decode_response(HttpResponse(200, {}, body), ConnectionOptions())


def test_json_text_becomes_bytes() -> None:
    (tensor,) = decode(b'{"name":"A","datatype":"BYTES","shape":[1,2],"data":["\xe5\xb0\x8f",""]}').outputs
    assert tensor.array.tolist() == [["小".encode(), b""]]


@pytest.mark.parametrize(
    "output",
    [
        b'{"name":"A","datatype":"FP32","shape":[9],"data":[1.0]}',
        b'{"name":"A","datatype":"FP32","shape":[2],"data":[[1.0],[1.0,2.0]]}',
        b'{"name":"A","datatype":"FP32","shape":["1"],"data":[1.0]}',
        b'{"name":"A","datatype":"FP32","shape":[-1],"data":[1.0]}',
        b'{"name":"A","datatype":"BF16","shape":[1],"data":[{}]}',
        b'{"name":"A","datatype":"BYTES","shape":[1],"data":[1]}',
        b'{"name":"A","datatype":"BYTES","shape":[2],"data":["a"]}',
        b'{"name":"A","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}',
        b'{"name":"A","datatype":["FP32"],"shape":[1],"data":[1]}',
    ],
)
def test_malformed_output_is_a_transport_error(output: bytes) -> None:
    with pytest.raises(TransportError, match="output A does not match its shape and datatype"):
        decode(output)


@pytest.mark.parametrize(
    "output",
    [
        b'{"name":"A","datatype":"INT64","shape":[1]}',
        b'{"name":"A","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":"4"}}',
        b'{"name":"A","datatype":"FP32","shape":[1],"parameters":[]}',
        b"[]",
        b"null",
    ],
)
def test_malformed_header_is_a_transport_error(output: bytes) -> None:
    with pytest.raises(TransportError, match="the response does not follow the v2 protocol"):
        decode(output)


@pytest.mark.parametrize(
    ("datatype", "field", "values"),
    [
        ("BOOL", "bool_contents", [True, False]),
        ("INT8", "int_contents", [-1, 1]),
        ("INT64", "int64_contents", [2**62, -1]),
        ("UINT16", "uint_contents", [2**15, 0]),
        ("UINT64", "uint64_contents", [2**63, 0]),
        ("FP32", "fp32_contents", [0.5, -2.0]),
        ("FP64", "fp64_contents", [0.1, 0.2]),
        ("BYTES", "bytes_contents", [b"\0", "小".encode()]),
    ],
)
def test_grpc_values_are_read_like_bytes(datatype: str, field: str, values: list[object]) -> None:
    """Triton sends bytes. Other servers of the protocol send lists."""
    message = pb.ModelInferResponse(model_name="m", model_version="3")
    tensor = message.outputs.add(name="A", datatype=datatype, shape=[1, 2])
    getattr(tensor.contents, field).extend(values)
    response = decode_grpc_response(message.SerializeToString())
    (output,) = response.outputs
    assert (response.version, output.datatype, output.array.tolist()) == ("3", datatype, [values])


def test_grpc_request_is_that_of_the_protocol() -> None:
    """Triton's own generated code reads it."""
    request = InferenceRequest(model="m", version="2", inputs=TENSORS, timeout_s=1, request_id="id")
    message = pb.ModelInferRequest.FromString(encode_request(request))
    assert (message.model_name, message.model_version, message.id) == ("m", "2", "id")
    assert [(each.name, each.datatype, tuple(each.shape)) for each in message.inputs] == [
        (tensor.name, tensor.datatype, tensor.shape) for tensor in TENSORS
    ]
    for tensor, content in zip(TENSORS, message.raw_input_contents, strict=True):
        expected = serialize_byte_tensor(tensor.array).item() if tensor.datatype == "BYTES" else tensor.array.tobytes()
        assert content == expected


def test_big_endian_and_strided_arrays_are_sent_as_little_endian_rows() -> None:
    array = np.arange(6, dtype=">i4").reshape(2, 3).T
    tensor = Tensor("A", array)
    assert to_bytes(tensor) == np.ascontiguousarray(array, "<i4").tobytes()
