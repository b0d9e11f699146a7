"""`python -m server.edge`."""

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, Protocol

import psutil
import pytest

from genderclient import Client, Tls
from server.edge import __main__ as edge
from server.edge.access_policy import AccessPolicy
from server.edge.readiness import Triton, ready_tritons
from server.errors import LaunchError
from server.launch.process import free_ports
from server.status_server import serve_text
from tests.support.server.edge import INFER, JOB, MODEL, SHOP, EdgeFiles, bearer
from tests.support.tritonserver import ROOT, Server
from tests.support.waiting import wait_until

COMMAND = (sys.executable, "-m", "server.edge")


class Address(Protocol):
    """Where a Triton is, or would be."""

    @property
    def http_url(self) -> str: ...
    @property
    def grpc_url(self) -> str: ...


@contextmanager
def running_command(triton: Address | None, *flags: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command on free ports until it says that it listens; yield the process and its HTTP address."""
    http_url, grpc_url = (f"127.0.0.1:{port}" for port in free_ports(2))
    addresses = ("--http", triton.http_url, "--grpc", triton.grpc_url) if triton else ()
    listen = ("--listen-http", http_url, "--listen-grpc", grpc_url)
    command = [*COMMAND, *addresses, *listen, "--metrics-port=0", *map(str, flags)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert event(process)["message"] == f"HTTP on {http_url}, gRPC on {grpc_url}; Ctrl-C to stop"
            yield process, http_url
        finally:
            process.terminate()


def event(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next event in the command's output that is no failed request."""
    assert process.stdout is not None
    events: Iterator[dict[str, Any]] = map(json.loads, process.stdout)
    return next(each for each in events if each["event"] != "request_failed")


def refused(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *flags], cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.usefixtures("nginx")
def test_command_serves_with_tokens_and_tls(triton: Server, files: EdgeFiles) -> None:
    access: Sequence[object] = ("--clients", files.clients, "--certificate", files.certificate, "--key", files.key)
    tls = Tls(ca_file=files.authority)
    with (
        running_command(triton, *access) as (_, http_url),
        Client(f"https://{http_url}", tls=tls, token=SHOP) as client,
    ):
        assert client.predict(nickname="小美").gender == "female"


def test_command_applies_all_options(files: EdgeFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    policies: list[AccessPolicy] = []

    def record(http: str, grpc: str, policy: AccessPolicy, *args: Any, **options: Any) -> NoReturn:
        policies.append(policy)
        raise LaunchError("recorded")

    given: dict[str, Any] = {
        "in_flight": 4, "bulk": 2, "rate": 9, "clients": files.clients, "certificate": files.certificate,
        "key": files.key,
    }  # fmt: skip
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    monkeypatch.setattr(sys, "argv", ["edge", *flags])
    monkeypatch.setattr(edge, "running_reverse_proxy", record)
    monkeypatch.setattr(edge, "exit_on_stop_signals", lambda: None)
    hangup = signal.getsignal(signal.SIGHUP)
    with pytest.raises(SystemExit, match="recorded"):
        edge.main()
    signal.signal(signal.SIGHUP, hangup)
    assert policies == [AccessPolicy(**given)]


@pytest.mark.usefixtures("nginx")
@pytest.mark.parametrize(("stop", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_stops_nginx(triton: Server, stop: signal.Signals, code: int) -> None:
    with running_command(triton) as (process, http_url):
        process.send_signal(stop)
        assert process.wait(20) == code
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(http_url.split(":")[1])), timeout=5)


@pytest.mark.usefixtures("nginx")
def test_sighup_revokes_a_token_and_keeps_the_old_ones_if_the_file_is_malformed(
    triton: Server, files: EdgeFiles, tmp_path: Path
) -> None:
    clients = tmp_path / "clients"
    shutil.copyfile(files.clients, clients)
    with running_command(triton, "--clients", clients) as (process, http_url):

        def status(token: str) -> int:
            with closing(http.client.HTTPConnection(http_url, timeout=20)) as connection:
                connection.request("GET", f"/v2/models/{MODEL}", headers=bearer(token))
                return connection.getresponse().status

        clients.write_text(f'"Bearer {SHOP}" shop\n')
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        assert f"not reloaded: {clients}, line 1: expected" in process.stderr.readline()
        assert (status(SHOP), status(JOB)) == (200, 200)
        clients.write_text(f'"Bearer {JOB}" bulk-scoring;\n')
        process.send_signal(signal.SIGHUP)
        assert event(process)["event"] == "reloaded"
        wait_until(lambda: status(SHOP) == 401)
        assert status(JOB) == 200


@pytest.mark.usefixtures("nginx")
def test_killed_nginx_leaves_no_worker_and_is_reported(triton: Server) -> None:
    with running_command(triton) as (process, http_url):
        (master,) = psutil.Process(process.pid).children()
        master.kill()
        assert process.wait(20) == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(http_url.split(":")[1])), timeout=5)


@pytest.mark.usefixtures("nginx")
def test_killed_command_ends_nginx(triton: Server) -> None:
    with running_command(triton) as (process, http_url):
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        assert psutil.wait_procs(family, 20)[1] == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(http_url.split(":")[1])), timeout=5)


@pytest.mark.usefixtures("nginx")
def test_sighup_without_tokens_keeps_nginx_and_a_new_command_can_start(triton: Server) -> None:
    with running_command(triton) as (process, http_url):
        process.send_signal(signal.SIGHUP)
        assert event(process)["event"] == "reloaded"
        socket.create_connection(("127.0.0.1", int(http_url.split(":")[1])), timeout=5).close()
    with running_command(triton):
        pass


@pytest.mark.usefixtures("nginx")
def test_storm_of_sighups_and_a_deleted_temporary_folder_leave_it_running(files: EdgeFiles) -> None:
    with running_command(None, "--clients", files.clients) as (process, http_url):
        (nginx,) = psutil.Process(process.pid).children()
        for _ in range(200):
            process.send_signal(signal.SIGHUP)
            time.sleep(0.005)
        assert event(process)["event"] == "reloaded"
        (config,) = (Path(part) for part in nginx.cmdline() if part.endswith("nginx.conf"))
        # The storm's last reload may still write to it.
        while config.parent.exists():
            shutil.rmtree(config.parent, ignore_errors=True)
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        # The storm's last reload may still have found the folder.
        expected = f"reverse proxy: not reloaded: cannot write to {config.parent} (No such file"
        assert any(line.startswith(expected) for line in process.stderr)
        with closing(http.client.HTTPConnection(http_url, timeout=20)) as connection:
            connection.request("GET", "/v2")
            assert connection.getresponse().status == 401
        assert process.poll() is None


@pytest.mark.usefixtures("nginx")
def test_log_goes_to_stderr() -> None:
    """Triton is gone, so nginx logs an error for the request."""
    gone = SimpleNamespace(http_url="127.0.0.1:1", grpc_url="127.0.0.1:2")
    with running_command(gone) as (process, http_url):
        with closing(http.client.HTTPConnection(http_url, timeout=20)) as connection:
            connection.request("GET", "/v2/health/ready")
            response = connection.getresponse()
            assert (response.status, json.loads(response.read())["error"][:12]) == (502, "unavailable:")
        assert process.stderr is not None
        assert "Connection refused" in process.stderr.readline()


@pytest.mark.usefixtures("nginx")
def test_requests_go_to_the_tritons_that_their_supervisors_report_as_ready(triton: Server) -> None:
    """The second Triton accepts connections and answers nothing."""
    ready = [True, False]
    with ExitStack() as stack:
        hung = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        url = f"127.0.0.1:{hung.getsockname()[1]}"
        statuses = [
            stack.enter_context(serve_text(partial(respond, ready, number), "127.0.0.1", 0, "")) for number in range(2)
        ]
        addresses = ("--http", triton.http_url, url, "--grpc", triton.grpc_url, url)
        status = [f"127.0.0.1:{port}" for port in statuses]
        process, http_url = stack.enter_context(running_command(None, *addresses, "--status", *status))
        assert event(process)["message"] == f"requests go to {triton.http_url}"
        wait_until(lambda: {answers(http_url) for _ in range(8)} == {200})
        # If none is ready, some models may still answer.
        ready[0] = False
        assert event(process)["message"] == f"requests go to {triton.http_url}, {url}"
        ready[0] = True
        assert event(process)["message"] == f"requests go to {triton.http_url}"
        wait_until(lambda: {answers(http_url) for _ in range(8)} == {200})


def respond(ready: list[bool], number: int, _: str) -> tuple[int, str]:
    return (200 if ready[number] else 503), ""


def answers(http_url: str) -> int:
    """The status of an inference, 0 if there is none within a second."""
    with suppress(TimeoutError), closing(http.client.HTTPConnection(http_url, timeout=1)) as connection:
        connection.request("POST", INFER.path, INFER.body, INFER.headers)
        return connection.getresponse().status
    return 0


def test_supervisor_that_cannot_be_reached_is_not_ready() -> None:
    first, second = Triton("a", "b"), Triton("c", "d", f"127.0.0.1:{free_ports(1)[0]}")
    assert ready_tritons([first, second]) == [first]
    assert ready_tritons([second]) == [second]


def test_different_numbers_of_addresses_are_rejected() -> None:
    done = refused("--http", "a:1", "b:1")
    expected = "reverse proxy: expected as many addresses of --http, --grpc and --status, got 2, 1 and 0\n"
    assert (done.returncode, done.stderr) == (1, expected)


def test_malformed_address_is_a_usage_error() -> None:
    done = refused("--listen-http", "8080")
    assert done.returncode == 2
    assert "--listen-http: expected host:port, such as 127.0.0.1:8080, got '8080'" in done.stderr


def test_invalid_policy_ends_with_one_line() -> None:
    done = refused("--rate", "0")
    assert (done.returncode, done.stderr) == (1, "reverse proxy: --rate=0: expected 1 or more\n")
