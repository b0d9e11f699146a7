"""What belongs to Triton's operator is closed to others: at the front, and at a Triton that listens wider."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from tritonclient.grpc import service_pb2 as pb

from server.edge.admin_lock import APIS, LOCKS, locks
from server.edge.reverse_proxy import find_nginx, running_front
from server.launch.flags import Endpoint, endpoints
from tests.support.server.guarded import grpc_status
from tests.support.tritonserver import Server, free_ports, running_triton

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
    """A Triton with the flags of one that listens everywhere, on loopback all the same; it has no model to load."""
    wide = [Endpoint("HTTP", "0.0.0.0", 8000, "--http-port")]
    flags = [f"--{flag}={value}" for flag, value in locks(wide, {"TRITON_ADMIN_KEY": KEY}).items()]
    with running_triton(tmp_path_factory.mktemp("empty"), "--model-control-mode=explicit", *flags) as server:
        yield server


@pytest.fixture(scope="module")
def front(triton: Server) -> Iterator[tuple[str, str]]:
    """HTTP and gRPC address of a front before a Triton whose own doors are open."""
    if find_nginx() is None:
        pytest.skip("there is no nginx on this machine")
    http_url, grpc_url = (f"127.0.0.1:{port}" for port in free_ports(2))
    with running_front(triton.http_url, triton.grpc_url, http_url, grpc_url):
        yield http_url, grpc_url


def ask(url: str, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    with closing(http.client.HTTPConnection(url, timeout=10)) as connection:
        connection.request(method, path, "{}" if method == "POST" else None, headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode()


@pytest.mark.parametrize(("method", "path"), OVER_HTTP)
def test_over_http(front: tuple[str, str], locked: Server, method: str, path: str) -> None:
    status, text = ask(front[0], method, path)
    assert (status, json.loads(text)["error"][:15]) == (404, "not served here")
    status, text = ask(locked.http_url, method, path)
    assert (status, json.loads(text)["error"]) == (403, "This API is restricted, expecting header 'admin-key'")
    assert ask(locked.http_url, method, path, {"admin-key": "another"})[0] == 403


@pytest.mark.parametrize(("method", "request_"), OVER_GRPC, ids=[method for method, _ in OVER_GRPC])
def test_over_grpc(front: tuple[str, str], locked: Server, method: str, request_: object) -> None:
    assert grpc_status(front[1], method, request_, {}, None).startswith("UNIMPLEMENTED: not served here")
    restricted = "UNAVAILABLE: This protocol is restricted, expecting header 'triton-grpc-protocol-admin-key'"
    assert grpc_status(locked.grpc_url, method, request_, {}, None) == restricted
    assert (
        grpc_status(locked.grpc_url, method, request_, {"triton-grpc-protocol-admin-key": "another"}, None)
        == restricted
    )


def test_the_operator_has_a_key(locked: Server) -> None:
    assert ask(locked.http_url, "POST", "/v2/repository/index", {"admin-key": KEY}) == (200, "[]")
    key = {"triton-grpc-protocol-admin-key": KEY}
    assert grpc_status(locked.grpc_url, "RepositoryIndex", pb.RepositoryIndexRequest(), key, None) == "OK"
    assert KEY not in locked.log()


def test_doors_are_locked_where_others_can_knock() -> None:
    assert (
        locks(endpoints(["--http-address=127.0.0.1", "--grpc-address=localhost", "--metrics-address=0.0.0.0"]), {})
        == {}
    )
    for address in ("--grpc-address=0.0.0.0", "--grpc-address=::", "--grpc-address=triton"):
        found = locks(endpoints(["--http-address=127.0.0.1", address]), {})
        assert found.keys() == set(LOCKS.values())
        assert all(value.startswith(f"{APIS}:admin-key=") for value in found.values())


def test_without_a_key_of_the_operators_nobody_knows_it() -> None:
    wide = [Endpoint("gRPC", "10.0.0.1", 8001, "--grpc-port")]
    first, second = (locks(wide, {})["grpc-restricted-protocol"].partition("admin-key=")[2] for _ in range(2))
    assert first != second
    assert len(first) == 64
