"""What clients without a token can do: health checks, which neither harm the servers nor fill memory and log."""

import http.client
from collections.abc import Iterator
from contextlib import closing

import pytest
from tritonclient.grpc import service_pb2 as pb

from server.edge.access_policy import AccessPolicy
from server.edge.reverse_proxy import ReverseProxy, running_reverse_proxy
from tests.support.server.edge import INFER, SHOP, EdgeFiles, bearer, grpc_status, infer_message
from tests.support.server.http2 import HEADERS, STATUS_200, post_grpc
from tests.support.tritonserver import Server

READY = "/v2/health/ready"
LARGE = 13 * 2**20
# Triton aborts requests with these headers.
ABORTED = {"bad base64": {"x-bin": "!"}, "bad timeout": {"grpc-timeout": "soon"}, "encoding": {"grpc-encoding": "x"}}


@pytest.fixture
def twins(triton: Server, files: EdgeFiles, nginx: None) -> Iterator[ReverseProxy]:
    """A reverse proxy with tokens, but without TLS, in front of two servers. nginx never excludes an only server."""
    http_urls, grpc_urls = (f"{url}; server {url}" for url in (triton.http_url, triton.grpc_url))
    with running_reverse_proxy(http_urls, grpc_urls, AccessPolicy(clients=files.clients)) as running:
        yield running


def request(
    proxy: ReverseProxy, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> int:
    with closing(http.client.HTTPConnection(proxy.http_url, timeout=20)) as connection:
        connection.request(method, path, body, headers or {})
        return connection.getresponse().status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", f"{READY}%0a", 401), ("M-SEARCH", READY, 405), ("HEAD", READY, 405), ("POST", READY, 405)],
)
def test_http_health_excludes_no_server(twins: ReverseProxy, method: str, path: str, status: int) -> None:
    assert {request(twins, method, path) for _ in range(4)} == {status}
    assert request(twins, "GET", READY) == 200
    assert request(twins, "POST", INFER.path, INFER.headers | bearer(SHOP), INFER.body) == 200


@pytest.mark.parametrize("headers", ABORTED.values(), ids=ABORTED)
def test_grpc_health_excludes_no_server(twins: ReverseProxy, headers: dict[str, str]) -> None:
    for _ in range(4):
        post_grpc(twins.grpc_url, "/inference.GRPCInferenceService/ServerLive", headers)
    assert grpc_status(twins.grpc_url, "ServerLive", pb.ServerLiveRequest(), {}, None) == "OK"
    assert grpc_status(twins.grpc_url, "ModelInfer", infer_message("小美".encode()), bearer(SHOP), None) == "OK"


def test_large_bodies_are_rejected_without_a_log_line(twins: ReverseProxy) -> None:
    announced = {"content-length": str(LARGE)}
    assert request(twins, "POST", INFER.path, announced) == 401
    assert request(twins, "GET", READY, announced) == 413
    assert request(twins, "POST", INFER.path, announced | bearer(SHOP)) == 413
    for path in ("ModelInfer", "ServerLive"):
        response = post_grpc(twins.grpc_url, f"/inference.GRPCInferenceService/{path}", announced)
        assert response[-1].ends_stream
    assert twins.log() == ""


@pytest.mark.parametrize("size", ["12582912", "12582913"])
def test_body_may_have_exactly_12_mib(twins: ReverseProxy, size: str) -> None:
    """Without the length of the JSON, the size itself is not the reason of the rejection."""
    status = request(twins, "POST", INFER.path, {"content-length": size} | bearer(SHOP))
    assert status == (411 if size == "12582912" else 413)


@pytest.mark.parametrize("headers", [{"content-length": "1"}, {"transfer-encoding": "chunked"}])
def test_http_health_takes_no_body(twins: ReverseProxy, headers: dict[str, str]) -> None:
    assert request(twins, "GET", READY, headers) == 413


def test_refused_grpc_request_ends_with_status_200_and_trailers(twins: ReverseProxy) -> None:
    """grpc-go ignores the status in headers of another HTTP status, and in headers that do not end the stream."""
    head, *_, trailers = post_grpc(twins.grpc_url, "/inference.GRPCInferenceService/ModelInfer", {})
    assert (head.type, head.payload[:1], head.ends_stream) == (HEADERS, STATUS_200, False)
    assert (trailers.type, trailers.ends_stream) == (HEADERS, True)
    status = grpc_status(twins.grpc_url, "ModelInfer", infer_message(), {}, None)
    assert status.startswith("UNAUTHENTICATED: unauthenticated: ")
