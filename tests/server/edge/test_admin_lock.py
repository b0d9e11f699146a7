"""Triton's administrative APIs are closed: at the reverse proxy, and at a Triton that other machines can reach."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from tritonclient.grpc import service_pb2 as pb

from server.edge.admin_lock import APIS, LOCK_FLAGS, lock_flags
from server.edge.reverse_proxy import ReverseProxy
from server.launch.endpoints import Endpoint, triton_endpoints
from tests.support.server.edge import grpc_status
from tests.support.tritonserver import Server, running_triton

KEY = "k3y"
OVER_HTTP = [
    ("POST", "/v2/repository/index"),
    ("POST", "/v2/repository/models/gender_mobilenet/load"),
    ("POST", "/v2/repository/models/gender_mobilenet/unload"),
    ("GET", "/v2/systemsharedmemory/status"),
    ("POST", "/v2/systemsharedmemory/region/a/register"),
    ("POST", "/v2/systemsharedmemory/unregister"),
    ("GET", "/v2/cudasharedmemory/status"),
    ("POST", "/v2/cudasharedmemory/region/a/register"),
    ("POST", "/v2/cudasharedmemory/unregister"),
    ("GET", "/v2/logging"),
    ("POST", "/v2/logging"),
    ("GET", "/v2/trace/setting"),
    ("POST", "/v2/trace/setting"),
    ("POST", "/v2/models/gender_mobilenet/trace/setting"),
]
OVER_GRPC = [
    ("RepositoryIndex", pb.RepositoryIndexRequest()),
    ("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="gender_mobilenet")),
    ("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name="gender_mobilenet")),
    ("SystemSharedMemoryStatus", pb.SystemSharedMemoryStatusRequest()),
    ("SystemSharedMemoryRegister", pb.SystemSharedMemoryRegisterRequest(name="a", key="/a", byte_size=1)),
    ("SystemSharedMemoryUnregister", pb.SystemSharedMemoryUnregisterRequest()),
    ("CudaSharedMemoryStatus", pb.CudaSharedMemoryStatusRequest()),
    ("CudaSharedMemoryRegister", pb.CudaSharedMemoryRegisterRequest(name="a")),
    ("CudaSharedMemoryUnregister", pb.CudaSharedMemoryUnregisterRequest()),
    ("LogSettings", pb.LogSettingsRequest()),
    ("TraceSetting", pb.TraceSettingRequest()),
]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Triton without models, on loopback, with the locks of one that listens on all addresses."""
    exposed = [Endpoint("HTTP", "0.0.0.0", 8000, "--http-port")]
    flags = [f"--{flag}={value}" for flag, value in lock_flags(exposed, {"TRITON_ADMIN_KEY": KEY}).items()]
    with running_triton(tmp_path_factory.mktemp("empty"), "--model-control-mode=explicit", *flags) as server:
        yield server


def request(url: str, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    with closing(http.client.HTTPConnection(url, timeout=10)) as connection:
        connection.request(method, path, "{}" if method == "POST" else None, headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode()


@pytest.mark.parametrize(("method", "path"), OVER_HTTP)
def test_admin_api_is_closed_over_http(proxy: ReverseProxy, locked: Server, method: str, path: str) -> None:
    status, text = request(proxy.http_url, method, path)
    assert (status, json.loads(text)["error"][:15]) == (404, "not served here")
    status, text = request(locked.http_url, method, path)
    assert (status, json.loads(text)["error"]) == (403, "This API is restricted, expecting header 'admin-key'")
    assert request(locked.http_url, method, path, {"admin-key": "another"})[0] == 403


@pytest.mark.parametrize(("method", "message"), OVER_GRPC, ids=[method for method, _ in OVER_GRPC])
def test_admin_api_is_closed_over_grpc(proxy: ReverseProxy, locked: Server, method: str, message: object) -> None:
    assert grpc_status(proxy.grpc_url, method, message, {}, None).startswith("UNIMPLEMENTED: not served here")
    restricted = "UNAVAILABLE: This protocol is restricted, expecting header 'triton-grpc-protocol-admin-key'"
    for headers in ({}, {"triton-grpc-protocol-admin-key": "another"}):
        assert grpc_status(locked.grpc_url, method, message, headers, None) == restricted


def test_admin_key_opens_the_lock(locked: Server) -> None:
    assert request(locked.http_url, "POST", "/v2/repository/index", {"admin-key": KEY}) == (200, "[]")
    headers = {"triton-grpc-protocol-admin-key": KEY}
    assert grpc_status(locked.grpc_url, "RepositoryIndex", pb.RepositoryIndexRequest(), headers, None) == "OK"
    assert KEY not in locked.log()


def test_loopback_is_not_locked() -> None:
    loopback = ["--http-address=127.0.0.1", "--grpc-address=localhost", "--metrics-address=0.0.0.0"]
    assert lock_flags(triton_endpoints(loopback), {}) == {}


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "triton"])
def test_other_addresses_are_locked_with_a_random_key(address: str) -> None:
    endpoints = triton_endpoints(["--http-address=127.0.0.1", f"--grpc-address={address}"])
    first, second = lock_flags(endpoints, {}), lock_flags(endpoints, {})
    assert first.keys() == set(LOCK_FLAGS.values())
    assert {value.partition("=")[0] for value in first.values()} == {f"{APIS}:admin-key"}
    keys = {value.partition("=")[2] for value in (*first.values(), *second.values())}
    assert {len(key) for key in keys} == {64}
    assert len(keys) == 2
