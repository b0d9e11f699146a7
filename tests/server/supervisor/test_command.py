"""What the supervisor reads from its command line and from a model repository, and what it rejects."""

import http.client
import select
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from reliability.faults.replica import logged_events
from server import status_server
from server.catalog import CONFIG, GENDER, Catalog
from server.errors import LaunchError
from server.launch.process import ROOT, free_ports
from server.supervisor.__main__ import GAVE_UP, INVALID_FLAGS
from server.supervisor.child import Command
from server.supervisor.snapshot import DEFAULTS, CanaryResult, Verdict
from server.supervisor.status import STUCK_S, SupervisorStatus, serve_status
from server.supervisor.watch import GaveUp, Supervisor, log_action, read_ensembles

REPOSITORY = ROOT / "model_repository"
KEY = "triton-grpc-protocol-admin-key"


def test_command_defaults() -> None:
    command = Command.parse([f"--model-repository={REPOSITORY}", "--grpc-port", "99"])
    assert {"--model-control-mode=explicit", "--load-model=*", "--exit-timeout-secs=5"} < set(command.argv)
    assert command.grace_s == 10
    assert Command.parse(["--exit-timeout-secs=30"]).grace_s == 35
    assert command.control.url == "127.0.0.1:99"
    assert command.repositories == (REPOSITORY,)


@pytest.mark.parametrize(("address", "url"), [("0.0.0.0", "127.0.0.1:8001"), ("::", "[::1]:8001")])
def test_server_on_all_addresses_is_watched_on_loopback(address: str, url: str) -> None:
    command = Command.parse([f"--grpc-address={address}", "--load-model=one"])
    assert command.control.url == url
    assert "--load-model=*" not in command.argv


def test_admin_key_comes_from_environment_and_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_ADMIN_KEY", "secret")
    command = Command.parse(["--grpc-restricted-protocol=statistics,trace:other=hidden"])
    assert command.control.metadata == {KEY: "secret", "triton-grpc-protocol-other": "hidden"}
    assert command.environment["TRITON_ADMIN_KEY"] == "secret"
    assert "secret" not in repr(command)


def test_admin_key_is_the_one_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRITON_ADMIN_KEY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    command = Command.parse([])
    key = command.environment["TRITON_ADMIN_KEY"]
    assert key == (tmp_path / "gender-triton" / "admin-key").read_text()
    assert command.control.metadata == {KEY: key}


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--model-control-mode=none", "--model-control-mode=none does not allow reloading models; omit the flag"),
        ("--allow-grpc=false", "--allow-grpc=false leaves no endpoint to watch; omit the flag"),
        ("--grpc-port=many", "--grpc-port: expected a port number, got many"),
    ],
)
def test_invalid_flags(flag: str, message: str) -> None:
    with pytest.raises(LaunchError) as error:
        Command.parse([flag])
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('name: "net" platform: "ensemble"', r"expected an ensemble of role 'gender' in .*; pass --model-repository="),
        ("names:", r"net/config\.pbtxt is not a model configuration: 1:1 .*\"names\""),
    ],
)
def test_invalid_repository(tmp_path: Path, config: str, message: str) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "config.pbtxt").write_text(config)
    with pytest.raises(LaunchError, match=message):
        read_ensembles([tmp_path])


def test_status_endpoints() -> None:
    status = SupervisorStatus(
        canaries={"one": CanaryResult(Verdict.BROKEN, 0.25)}, restarts=2, reloads=Counter({"net": 3})
    )
    with serve_status(status, "127.0.0.1", 0) as port:
        assert get(port, "/ready") == (503, "not ready\n")
        assert get(port, "/live") == (200, "live\n")
        assert get(port, "/other")[0] == 404
        code, text = get(port, "/metrics")
        status.ready = True
        assert get(port, "/ready") == (200, "ready\n")
    assert code == 200
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "gender_ready 0",
        'gender_canary_ok{model="one"} 0',
        'gender_canary_seconds{model="one"} 0.25',
        "gender_server_restarts_total 2",
        'gender_model_revivals_total{model="net"} 3',
    ]
    assert "# TYPE gender_server_restarts_total counter" in text


def test_status_of_a_supervisor_that_hangs_is_not_trusted() -> None:
    status = SupervisorStatus(ready=True, looked_s=time.monotonic() - STUCK_S - 1)
    with serve_status(status, "127.0.0.1", 0) as port:
        assert get(port, "/ready") == (503, "not ready\n")
        assert get(port, "/live") == (503, "stuck\n")
        assert "gender_ready 0\n" in get(port, "/metrics")[1]


def test_idle_connections_do_not_lock_out_a_probe() -> None:
    with ExitStack() as stack, serve_status(SupervisorStatus(ready=True), "127.0.0.1", 0) as port:
        before = len(list(Path("/proc/self/fd").iterdir()))
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(200)]
        for _ in range(3):
            assert get(port, "/ready") == (200, "ready\n")
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + len(idle) + status_server.MAX_CONNECTIONS + 4


def test_connections_below_the_limit_stay_open() -> None:
    with ExitStack() as stack, serve_status(SupervisorStatus(ready=True), "127.0.0.1", 0) as port:
        # An answer ends before the server has let go of its connection.
        probes = 3
        idle = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(status_server.MAX_CONNECTIONS - probes)
        ]
        for _ in range(probes):
            assert get(port, "/ready") == (200, "ready\n")
        assert select.select(idle, [], [], 0.2)[0] == []


def test_silent_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_server, "TIMEOUT_S", 0.2)
    with (
        serve_status(SupervisorStatus(), "127.0.0.1", 0) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
    ):
        assert connection.recv(1) == b""


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def supervise(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "server.supervisor", f"--model-repository={REPOSITORY}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_busy_status_port_exits_with_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = supervise(f"--status-port={port}")
    assert process.returncode == INVALID_FLAGS
    assert process.stderr == (
        f"supervisor: status port {port} on 127.0.0.1: Address already in use; pass --status-port=<free port>\n"
    )


def test_status_port_that_does_not_exist_exits_with_one_line() -> None:
    process = supervise("--status-port=65536")
    assert process.returncode == INVALID_FLAGS
    assert process.stderr == (
        "supervisor: status port 65536 on 127.0.0.1: bind(): port must be 0-65535; pass --status-port=<free port>\n"
    )


def test_server_that_cannot_start_is_not_restarted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = supervise(f"--http-port={port}", f"--status-port={free_ports(1)[0]}")
    assert process.returncode == GAVE_UP
    assert f"HTTP port {port} on 127.0.0.1 is in use" in process.stderr
    (event,) = logged_events(process.stdout)
    assert (event["event"], event["message"]) == (
        "gave_up",
        "giving up: tritonserver exited with code 2, before it was ever ready; its log says why",
    )


def test_crashes_in_a_row_are_survived(tmp_path: Path) -> None:
    """Requests that crash Triton arrive as long as a client sends them."""
    (gender,) = Catalog(REPOSITORY).ensembles(GENDER)[:1]
    (tmp_path / gender.name).mkdir()
    shutil.copy(REPOSITORY / gender.name / CONFIG, tmp_path / gender.name)
    command = Command.parse([f"--model-repository={tmp_path}"], launcher=("sh", "-c", "kill -SEGV $$"))
    limits = replace(DEFAULTS, restarts=30, first_pause_s=0.0, max_pause_s=0.0)
    status, before = SupervisorStatus(), open_files()
    with pytest.raises(GaveUp, match="exited with code -11; --restart-limit=30 is reached"):
        Supervisor(command, status, lambda: None, limits=limits).run()
    assert status.restarts == 30
    assert open_files() == before


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_full_disk_does_not_end_the_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - closing it fails too
    monkeypatch.setattr(sys, "stdout", full)
    log_action("ready", "this line is lost")
    with pytest.raises(OSError, match="No space left"):
        full.flush()
    with suppress(OSError):
        full.close()
