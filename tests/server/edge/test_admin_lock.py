"""Triton's administrative APIs are closed: at the reverse proxy, and without the key at Triton itself."""

import http.client
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from tritonclient.grpc import service_pb2 as pb

from server.edge.admin_lock import admin_key, key_file, lock_flags
from server.edge.reverse_proxy import ReverseProxy
from server.errors import LaunchError
from server.launch.flags import Flags
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
    """A Triton without models, on loopback, as the launcher starts it."""
    flags, environment = "--model-control-mode=explicit", {"TRITON_ADMIN_KEY": KEY}
    with running_triton(tmp_path_factory.mktemp("empty"), flags, environment=environment) as server:
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
    cross_origin = {"origin": "https://example.com", "content-type": "text/plain"}
    assert request(locked.http_url, method, path, cross_origin)[0] == 403


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


def test_own_locks_take_precedence() -> None:
    http, grpc = lock_flags(Flags(["--http-restricted-api=health,trace:a=b"]), KEY)
    assert http == f"--http-restricted-api=model-repository,shared-memory,logging:admin-key={KEY}"
    assert grpc == f"--grpc-restricted-protocol=model-repository,shared-memory,logging,trace:admin-key={KEY}"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose cache is empty."""
    return {"XDG_CACHE_HOME": str(tmp_path)}


def test_key_file_is_created_once_for_its_owner_only(home: dict[str, str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: admin_key(home), range(32)))
    file = key_file(home)
    assert keys == {file.read_text()}
    assert (len(file.read_text()), file.stat().st_mode & 0o777) == (64, 0o600)
    assert list(file.parent.iterdir()) == [file]
    assert admin_key({**home, "TRITON_ADMIN_KEY": KEY}) == KEY


def test_key_that_others_can_read_and_missing_key_are_rejected(home: dict[str, str]) -> None:
    admin_key(home)
    file = key_file(home)
    file.chmod(0o640)
    with pytest.raises(LaunchError, match=r"other users can read the admin key in .*; delete the file"):
        admin_key(home)
    file.chmod(0o600)
    file.write_text("")
    with pytest.raises(LaunchError, match="contains no admin key; delete the file"):
        admin_key(home)


def test_key_is_random_without_a_cache() -> None:
    unwritable = {"XDG_CACHE_HOME": os.devnull}
    assert len({admin_key(unwritable), admin_key(unwritable)}) == 2
