"""The real nginx before a real Triton: what it lets in, and what it refuses how."""

import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from genderclient import Client, InvalidAvatar, Unavailable
from perf.load.http_client_load import flood, triton_request
from perf.load.workload import users
from server.edge.access_policy import Rules
from server.edge.reverse_proxy import Front, find_nginx, running_front
from server.errors import LaunchError
from server.launch.process import free_ports
from tests.support.tritonserver import ROOT, Server

pytestmark = pytest.mark.skipif(find_nginx() is None, reason="there is no nginx on this machine")

FEW = 2


@pytest.fixture(scope="module")
def front(triton: Server) -> Iterator[Front]:
    http, grpc = (f"127.0.0.1:{port}" for port in free_ports(2))
    with running_front(triton.http_url, triton.grpc_url, http, grpc, Rules(in_flight=FEW)) as running:
        yield running


@pytest.fixture(params=["grpc", "http"])
def client(request: pytest.FixtureRequest, front: Front) -> Iterator[Client]:
    url = front.grpc_url if request.param == "grpc" else front.http_url
    with Client(f"{request.param}://{url}") as made:
        yield made


def test_answers_and_errors_pass(client: Client) -> None:
    assert client.predict(nickname="小美").gender == "female"
    with pytest.raises(InvalidAvatar, match="not an image"):
        client.predict(avatar=b"not an image")


def test_who_would_wait_is_refused(client: Client) -> None:
    def ask(number: int) -> str:
        try:
            client.predict(nickname=f"小美{number}")
        except Unavailable as exc:
            assert "overloaded: enough requests are being answered; try again later" in str(exc)
            return "refused"
        return "answered"

    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(pool.map(ask, range(96)))
    assert outcomes["answered"] >= FEW
    assert outcomes["refused"] > 0
    assert client.predict(nickname="小美").gender == "female"


def test_a_flood_is_refused_at_once(front: Front) -> None:
    requests = [triton_request("gender_densenet", user) for user in users(8, seed=1)]
    found = flood(int(front.http_url.split(":")[1]), requests, rate=400, seconds=2)
    assert found["refused_per_s"] > found["per_s"] > 0
    assert found["given_up_per_s"] == 0
    assert found["refused_p99_ms"] < found["p99_ms"]


def test_a_busy_port_is_named(front: Front, triton: Server) -> None:
    (port,) = free_ports(1)
    with (
        pytest.raises(LaunchError, match=r"HTTP port \d+ on 127\.0\.0\.1 is in use; .*--listen-http=<free port>"),
        running_front(triton.http_url, triton.grpc_url, front.http_url, f"127.0.0.1:{port}"),
    ):
        pass


def test_nothing_is_left(triton: Server) -> None:
    http, grpc = (f"127.0.0.1:{port}" for port in free_ports(2))
    with running_front(triton.http_url, triton.grpc_url, http, grpc) as front:
        pass
    assert front.process.poll() is not None
    with running_front(triton.http_url, triton.grpc_url, http, grpc):  # the ports are free again
        pass


def test_it_says_how_to_install_nginx(triton: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.reverse_proxy.find_nginx", lambda: None)
    http, grpc = (f"127.0.0.1:{port}" for port in free_ports(2))
    with (
        pytest.raises(LaunchError, match="there is no nginx; install it, on Debian with: apt-get install nginx"),
        running_front(triton.http_url, triton.grpc_url, http, grpc),
    ):
        pass


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_it_takes_nginx_along(triton: Server, stop: signal.Signals, code: int) -> None:
    http, grpc = (f"127.0.0.1:{port}" for port in free_ports(2))
    servers = ("--http", triton.http_url, "--grpc", triton.grpc_url, "--listen-http", http, "--listen-grpc", grpc)
    command = [sys.executable, "-m", "server.edge.reverse_proxy", *servers]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as front:
        assert front.stdout is not None
        assert front.stdout.readline() == f"HTTP on {http}, gRPC on {grpc}; Ctrl-C to stop\n"
        front.send_signal(stop)
        assert front.wait(20) == code
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(http.split(":")[1])), timeout=5)
