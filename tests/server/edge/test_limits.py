"""What the reverse proxy limits: sizes, rates, concurrent requests and slow clients."""

import gzip
import json
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, closing

import grpc
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from server.edge.reverse_proxy import running_reverse_proxy
from tests.support.server.edge import INFER, JOB, MODEL, SHOP, Edge, EdgeFiles, bearer, infer_message
from tests.support.tritonserver import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("nginx")

# Above the limit of 12 MiB.
TOO_LARGE = 13 * 2**20
TIMEOUT_S = 5.0
SILENT_CONNECTIONS = 300


def test_too_large_body_is_rejected(edge: Edge) -> None:
    response = edge.infer(SHOP, bytes(TOO_LARGE))
    assert (response.status, response.error) == (413, "too large")
    assert edge.grpc("ModelInfer", infer_message(bytes(TOO_LARGE)), SHOP).startswith("RESOURCE_EXHAUSTED: too large")


def test_long_json_is_rejected(edge: Edge) -> None:
    deep = b"[" * 200_000
    long: dict[str, str] = {"inference-header-content-length": "200000"}
    bodies: list[tuple[dict[str, str], bytes | Iterable[bytes]]] = [({}, deep), (long, deep), ({}, iter([deep]))]
    for headers, body in bodies:
        response = edge.http("POST", INFER.path, bearer(SHOP) | headers, body)
        assert (response.status, response.error) == (411, "length")
    assert edge.infer(SHOP).status == 200


def test_compressed_body_is_rejected(edge: Edge) -> None:
    response = edge.infer(SHOP, gzip.compress(INFER.body), content_encoding="gzip")
    assert (response.status, response.error) == (415, "compressed")
    credentials = grpc.ssl_channel_credentials(edge.files.authority.read_bytes())
    compressing = grpc.secure_channel(edge.proxy.grpc_url, credentials, compression=grpc.Compression.Gzip)
    with compressing as channel:
        stub = GRPCInferenceServiceStub(channel)
        for call, message in (
            (stub.ModelInfer, infer_message()),
            (stub.ModelReady, pb.ModelReadyRequest(name=MODEL)),
            (stub.ModelMetadata, pb.ModelMetadataRequest(name=MODEL)),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                call(message, metadata=tuple(bearer(SHOP).items()))
            assert (caught.value.code().name, caught.value.details()[:10]) == ("UNIMPLEMENTED", "compressed")


def test_large_question_about_a_model_is_rejected(edge: Edge) -> None:
    assert edge.grpc("ModelReady", pb.ModelReadyRequest(name="a" * 2000), SHOP).startswith("RESOURCE_EXHAUSTED")


def test_rate_limit_applies_to_each_client(triton: Server, files: EdgeFiles) -> None:
    with running_reverse_proxy(triton.http_url, triton.grpc_url, files.policy(rate=1)) as proxy:
        edge = Edge(proxy, files)
        responses = [edge.infer(SHOP) for _ in range(8)]
        assert Counter(response.status for response in responses)[200] >= 2, "one, and a burst of one"
        rejections = {json.loads(response.text)["error"] for response in responses if response.status == 429}
        assert rejections == {"overloaded: this client exceeds its requests per second; try again later"}
        calls = [edge.grpc("ModelInfer", infer_message(), SHOP) for _ in range(4)]
        assert any(call.startswith("RESOURCE_EXHAUSTED: overloaded: this client exceeds") for call in calls)
        assert edge.infer(JOB).status == 200


def test_bulk_clients_leave_room_for_others(triton: Server, files: EdgeFiles) -> None:
    """Two requests without bodies occupy the two places of bulk clients. The third place stays free for others."""
    with running_reverse_proxy(triton.http_url, triton.grpc_url, files.policy(in_flight=3, bulk=2)) as proxy:
        edge = Edge(proxy, files)
        with ExitStack() as stack:
            for _ in range(2):
                stack.enter_context(closing(edge.stalled_request(JOB)))
            wait_until(lambda: edge.infer(JOB).status == 503)
            assert edge.infer(SHOP).status == 200
        wait_until(lambda: edge.infer(JOB).status == 200)


def test_slow_clients_are_dropped_and_do_not_delay_others(edge: Edge) -> None:
    """Slow at the TLS handshake, in the headers or in the body."""
    host, port = edge.proxy.http_url.split(":")
    address = (host, int(port))
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(address, 20)) for _ in range(SILENT_CONNECTIONS)]
        body = stack.enter_context(closing(edge.stalled_request(SHOP)))
        raw = stack.enter_context(socket.create_connection(address, 20))
        head = stack.enter_context(edge.tls().wrap_socket(raw, server_hostname=host))
        head.sendall(b"POST /v2/models/gen")
        start = time.monotonic()
        assert edge.infer(SHOP).status == 200
        assert edge.grpc("ModelInfer", infer_message("小美".encode()), SHOP) == "OK"
        assert time.monotonic() - start < TIMEOUT_S
        for connection in (*silent, body, head):
            assert is_closed(connection)
        assert time.monotonic() - start < 3 * TIMEOUT_S


def is_closed(connection: socket.socket) -> bool:
    """Wait until the other side closes the connection, possibly after an error response."""
    try:
        while connection.recv(4096):
            pass
    except (ConnectionResetError, ssl.SSLError):
        pass
    except TimeoutError:
        return False
    return True
