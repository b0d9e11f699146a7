"""Both protocols of the project's Triton."""

import pytest

from tests.support.tritonserver import Server


@pytest.fixture(params=["grpc", "http"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def address(scheme: str, triton: Server) -> str:
    """`host:port`."""
    return triton.grpc_url if scheme == "grpc" else triton.http_url


@pytest.fixture
def url(scheme: str, address: str) -> str:
    return f"{scheme}://{address}"
