"""Both protocols of the project's Triton, and a resolver that hangs."""

import socket
import threading
from collections.abc import Iterator

import pytest

from genderclient import Client
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


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.fixture
def hung_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Lookups of host names take until the event is set, at the end of the test."""
    release = threading.Event()

    def hang(*args: object, **options: object) -> None:
        release.wait()
        raise socket.gaierror("released")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield release
    release.set()
