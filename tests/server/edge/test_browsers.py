"""Web pages cannot use the reverse proxy through the browser of someone who can reach it."""

import http.client
from contextlib import closing

import pytest

from server.edge.reverse_proxy import ReverseProxy
from tests.support.server.edge import INFER, SHOP, Edge, bearer, grpc_status, infer_message


def post(proxy: ReverseProxy, headers: dict[str, str]) -> int:
    with closing(http.client.HTTPConnection(proxy.http_url, timeout=20)) as connection:
        connection.request("POST", INFER.path, INFER.body, INFER.headers | headers)
        return connection.getresponse().status


@pytest.mark.parametrize("origin", ["https://example.com", "http://localhost", "null", "x  shop localhost"])
def test_requests_of_web_pages_are_rejected(proxy: ReverseProxy, edge: Edge, origin: str) -> None:
    assert post(proxy, {"origin": origin}) == 403
    assert edge.infer(SHOP, origin=origin).error == "origin"
    assert edge.http("GET", "/v2/health/ready", {"origin": origin}).status == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:80", 200),
        ("[::1]:80", 200),
        ("example.com", 403),
        ("localhost.example.com", 403),
        ("127.0.0.10", 403),
    ],
)
def test_without_tokens_only_names_of_this_machine_are_served(
    proxy: ReverseProxy, edge: Edge, host: str, status: int
) -> None:
    assert post(proxy, {"host": host}) == status
    assert edge.infer(SHOP, host=host).status == 200, "web pages have no token"


def test_grpc_requests_of_web_pages_are_rejected(edge: Edge) -> None:
    metadata = bearer(SHOP) | {"origin": "https://example.com"}
    status = grpc_status(edge.proxy.grpc_url, "ModelInfer", infer_message(), metadata, edge.files.authority)
    assert status.startswith("PERMISSION_DENIED: origin: ")
