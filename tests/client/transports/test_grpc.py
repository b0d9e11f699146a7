"""The gRPC transports against servers that are not Triton, or refuse, over real sockets."""

import asyncio
import math
from collections.abc import Callable

import grpc
import pytest
from tritonclient.grpc import service_pb2 as pb

from genderclient import (
    AsyncClient,
    BytesTensor,
    Client,
    InferenceRequest,
    Overloaded,
    ProtocolError,
    Retry,
    Status,
    TransportError,
)
from genderclient._config.connection_options import ConnectionOptions
from genderclient._transports import open_async_transport, open_transport
from genderclient._transports.credentials import Credentials
from genderclient._transports.url import ServerUrl
from tests.support.client.grpc_server import grpc_server, output, refuse

# Large requests keep the deadline in another way than small ones.
SMALL, LARGE = b"picture", bytes(2**17)


def predict(port: int, avatar: bytes) -> None:
    with Client(f"grpc://127.0.0.1:{port}", retry=Retry(attempts=1)) as client:
        client.predict(avatar=avatar)


def predict_async(port: int, avatar: bytes) -> None:
    async def run() -> None:
        async with AsyncClient(f"grpc://127.0.0.1:{port}", retry=Retry(attempts=1)) as client:
            await client.predict(avatar=avatar)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (output("PROBABILITIES", "FP32", [1, 2**23], bytes(2**25)), "larger than max"),
        (output("PROBABILITIES", "BYTES", [1, 1], b"\xff"), "does not match its shape and datatype"),
        (output("PROBABILITIES", "BYTES", [1, 1], b"\5\0\0\0ab"), "does not match its shape and datatype"),
        (output("PROBABILITIES", "BYTES", [1, 1], b"\xff\xff\xff\xffab"), "does not match its shape and datatype"),
        (output("PROBABILITIES", "BYTES", [1, 2], b"\1\0\0\0a\1\0\0\0b"), "expected numbers"),
        (output("PROBABILITIES", "FP32", [1, 9], bytes(8)), "does not match its shape and datatype"),
        (output("PROBABILITIES", "FP32", [2**40, 2**40], bytes(8)), "does not match its shape and datatype"),
        (output("PROBABILITIES", "FP32", [-1, -1], bytes(8)), "does not match its shape and datatype"),
        (output("PROBABILITIES", "FP99", [1, 2], bytes(8)), "does not match its shape and datatype"),
        (output("PROBABILITIES", "FP32", [1, 2], bytes(8)), "does not sum to 1"),
        (pb.ModelInferResponse(model_name="m").SerializeToString(), "output PROBABILITIES is missing"),
        (b"", "output PROBABILITIES is missing"),
        (b"\xff" * 40, "does not follow the v2 protocol"),
    ],
    ids=range(13),
)
@pytest.mark.parametrize("avatar", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("send", [predict, predict_async])
def test_invalid_response_has_an_error(
    send: Callable[[int, bytes], None], avatar: bytes, content: bytes, message: str
) -> None:
    with grpc_server(lambda context: content) as port, pytest.raises(ProtocolError, match=message):
        send(port, avatar)


@pytest.mark.parametrize(
    ("trailers", "retry_after_s"),
    [
        ({}, 0),
        ({"retry_after": "3"}, 3),
        ({"retry_after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0),
        ({"grpc_retry_pushback_ms": "250", "retry_after": "3"}, 0.25),
        ({"grpc_retry_pushback_ms": "-1"}, math.inf),
        ({"grpc_retry_pushback_ms": "later"}, math.inf),
    ],
)
@pytest.mark.parametrize("avatar", [SMALL, LARGE], ids=["small", "large"])
def test_refusal_says_when_to_retry(trailers: dict[str, str], retry_after_s: float, avatar: bytes) -> None:
    request = InferenceRequest(model="m", inputs=(BytesTensor("AVATAR", avatar),), timeout_s=10)
    with grpc_server(refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy", **trailers)) as port:
        url = ServerUrl.parse(f"grpc://127.0.0.1:{port}")

        async def infer() -> None:
            transport = open_async_transport(url, Credentials(), ConnectionOptions())
            try:
                await transport.infer(request)
            finally:
                await transport.close()

        transport = open_transport(url, Credentials(), ConnectionOptions())
        for send in (lambda: transport.infer(request), lambda: asyncio.run(infer())):
            with pytest.raises(TransportError, match="busy") as caught:
                send()
            assert (caught.value.status, caught.value.retry_after_s) == (Status.OVERLOADED, retry_after_s)
        transport.close()


def test_server_can_forbid_a_retry() -> None:
    with (
        grpc_server(refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy", grpc_retry_pushback_ms="-1")) as port,
        Client(f"grpc://127.0.0.1:{port}") as client,
        pytest.raises(Overloaded) as caught,
    ):
        client.predict(nickname="小美")
    assert caught.value.attempts == 1


def test_closed_transport_is_unavailable() -> None:
    request = InferenceRequest(model="m", inputs=(), timeout_s=10)
    url = ServerUrl.parse("grpc://127.0.0.1:9")

    async def infer() -> None:
        transport = open_async_transport(url, Credentials(), ConnectionOptions())
        await transport.close()
        await transport.infer(request)

    transport = open_transport(url, Credentials(), ConnectionOptions())
    transport.close()
    for send in (lambda: transport.infer(request), lambda: asyncio.run(infer())):
        with pytest.raises(TransportError, match="the connection was closed") as caught:
            send()
        assert caught.value.status is Status.UNAVAILABLE
