"""Reverse proxies in front of the session's Triton."""

from collections.abc import Iterator

import pytest

from server.edge.reverse_proxy import ReverseProxy, find_nginx, running_reverse_proxy
from tests.support.server.edge import Edge, EdgeFiles, write_edge_files
from tests.support.tritonserver import Server


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> EdgeFiles:
    return write_edge_files(tmp_path_factory.mktemp("edge"))


@pytest.fixture(scope="session")
def nginx() -> None:
    """Skip the test if nginx is not installed."""
    if find_nginx() is None:
        pytest.skip("nginx is not installed")


@pytest.fixture(scope="module")
def proxy(triton: Server, nginx: None) -> Iterator[ReverseProxy]:
    """A reverse proxy that requires no token."""
    with running_reverse_proxy(triton.http_url, triton.grpc_url) as running:
        yield running


@pytest.fixture(scope="module")
def edge(triton: Server, files: EdgeFiles, nginx: None) -> Iterator[Edge]:
    """A reverse proxy with tokens and TLS."""
    with running_reverse_proxy(triton.http_url, triton.grpc_url, files.policy()) as running:
        yield Edge(running, files)
