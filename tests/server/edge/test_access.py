"""Which requests the reverse proxy forwards: tokens, routes, and the headers that reach Triton."""

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tritonclient.grpc import service_pb2 as pb

from genderclient import Client, GenderClientError, InvalidAvatar, Tls
from server.edge.reverse_proxy import running_reverse_proxy
from tests.support.server.edge import INFER, JOB, MODEL, SHOP, Edge, EdgeFiles, bearer, infer_message
from tests.support.tritonserver import Server

READY = f"/v2/models/{MODEL}/ready"
UNKNOWN_TOKEN = "0" * 64


@contextmanager
def client(edge: Edge, protocol: str, token: str | None) -> Iterator[Client]:
    url = {"grpcs": edge.proxy.grpc_url, "https": edge.proxy.http_url}[protocol]
    with Client(f"{protocol}://{url}", tls=Tls(ca_file=edge.files.authority), token=token) as made:
        yield made


@pytest.mark.parametrize("protocol", ["grpcs", "https"])
def test_client_with_token_gets_predictions_and_errors(edge: Edge, protocol: str) -> None:
    with client(edge, protocol, SHOP) as shop:
        assert shop.predict(nickname="小美").gender == "female"
        with pytest.raises(InvalidAvatar, match="not an image"):
            shop.predict(avatar=b"not an image")


@pytest.mark.parametrize("protocol", ["grpcs", "https"])
@pytest.mark.parametrize("token", [None, UNKNOWN_TOKEN, SHOP[:-1], SHOP + "0"])
def test_unknown_token_is_rejected_without_being_quoted(edge: Edge, protocol: str, token: str | None) -> None:
    unauthenticated = pytest.raises(GenderClientError, match="unauthenticated: unknown or missing token")
    with client(edge, protocol, token) as stranger, unauthenticated as caught:
        stranger.predict(nickname="小美")
    assert not token or token not in str(caught.value)


def test_missing_token_has_the_status_of_each_protocol(edge: Edge) -> None:
    response = edge.infer()
    assert (response.status, response.error) == (401, "unauthenticated")
    for scheme in (SHOP, f"Basic {SHOP}"):
        assert edge.http("GET", READY, {"authorization": scheme}).status == 401
    assert edge.grpc("ModelInfer", infer_message(), UNKNOWN_TOKEN).startswith("UNAUTHENTICATED: unauthenticated: ")
    assert edge.grpc("ModelMetadata", pb.ModelMetadataRequest(name=MODEL), "").startswith("UNAUTHENTICATED")


def test_health_needs_no_token_but_is_rate_limited(edge: Edge) -> None:
    assert [edge.http("GET", f"/v2/health/{name}", {}).status for name in ("live", "ready")] == [200, 200]
    assert edge.grpc("ServerLive", pb.ServerLiveRequest(), "") == "OK"
    assert edge.grpc("ServerReady", pb.ServerReadyRequest(), "") == "OK"
    assert {edge.http("GET", "/v2/health/live", {}).status for _ in range(200)} == {200, 429}


def test_readiness_and_metadata_are_served(edge: Edge) -> None:
    assert edge.http("GET", READY, bearer(SHOP)).status == 200
    metadata = json.loads(edge.http("GET", f"/v2/models/{MODEL}", bearer(SHOP)).text)
    version = metadata["versions"][-1]
    assert edge.http("GET", f"/v2/models/{MODEL}/versions/{version}", bearer(SHOP)).status == 200
    assert edge.grpc("ModelReady", pb.ModelReadyRequest(name=MODEL), SHOP) == "OK"
    assert edge.grpc("ModelMetadata", pb.ModelMetadataRequest(name=MODEL), SHOP) == "OK"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v2",
        "/metrics",
        "/refused/503",
        "/v2/models/preprocess/infer",
        "/v2/models/densenet/versions/2/infer",
        f"/v2/models/{MODEL}/config",
        f"/v2/models/{MODEL}/stats",
        f"/v2/models/{MODEL}/generate",
        f"{INFER.path}/../../../repository/index",
        f"/v2/models/{MODEL}/..%2f..%2frepository%2findex",
        f"/v2//models/{MODEL}%2f..%2fpreprocess/infer",
    ],
)
def test_other_routes_are_not_found(edge: Edge, path: str) -> None:
    response = edge.http("POST", path, bearer(SHOP), b"{}")
    assert (response.status, response.error) == (404, "not served here")


def test_forwarded_path_is_the_normalized_path(edge: Edge) -> None:
    winding = f"/v2/repository/index/../../models//{MODEL}/x/../infer?a=1"
    response = edge.http("POST", winding, INFER.headers | bearer(SHOP), INFER.body)
    assert (response.status, json.loads(response.text)["model_name"]) == (200, MODEL)


@pytest.mark.usefixtures("nginx")
def test_triton_receives_only_checked_headers_and_no_chunks(files: EdgeFiles) -> None:
    with socket.create_server(("127.0.0.1", 0)) as triton:
        url = f"127.0.0.1:{triton.getsockname()[1]}"
        with running_reverse_proxy(url, url, files.policy()) as proxy, ThreadPoolExecutor() as pool:
            received = pool.submit(receive_inference, triton)
            context = Edge(proxy, files).tls()
            with closing(http.client.HTTPSConnection(proxy.http_url, timeout=20, context=context)) as connection:
                headers = INFER.headers | bearer(SHOP) | {"traceparent": "00-1", "x-other": "1"}
                chunks = iter([INFER.body[:9], INFER.body[9:]])
                connection.request("POST", INFER.path, chunks, headers, encode_chunked=True)
                assert connection.getresponse().status == 204
            head, _, body = received.result().partition(b"\r\n\r\n")
    assert head.startswith(f"POST {INFER.path} HTTP/1.1\r\n".encode())
    names = {line.partition(b":")[0].decode().lower() for line in head.split(b"\r\n")[1:]}
    length = "inference-header-content-length"
    assert names == {"host", "content-length", length, "accept-encoding", "traceparent"}
    assert f"\r\nContent-Length: {len(INFER.body)}".encode() in head
    assert body == INFER.body


def receive_inference(listener: socket.socket) -> bytes:
    """Receive one inference and send an empty response."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(20)
        received = b""
        while not received.endswith(INFER.body):
            received += connection.recv(4096)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    return received


def test_tokens_appear_neither_in_the_process_list_nor_in_logs(edge: Edge, triton: Server) -> None:
    edge.infer(SHOP)
    process = Path(f"/proc/{edge.proxy.process.pid}")
    shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    shown += edge.proxy.log().encode() + triton.log().encode()
    assert SHOP.encode() not in shown
    assert JOB.encode() not in shown
