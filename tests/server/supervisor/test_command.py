"""What the supervisor reads from a command line and from a model repository, and what it refuses."""

import http.client
import socket
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from server.errors import LaunchError
from server.launch.process import free_ports
from server.supervisor.__main__ import CANNOT_SERVE, GAVE_UP
from server.supervisor.child import Command
from server.supervisor.policy import Canary, Verdict
from server.supervisor.repository import ensembles
from server.supervisor.status import Status, serving
from server.supervisor.watch import say
from tests.support.tritonserver import ROOT

REPOSITORY = ROOT / "model_repository"
ENSEMBLE = """
name: "asks"  platform: "ensemble"
input [ { name: "AVATAR" data_type: TYPE_STRING dims: [ 1 ] }, { name: "NICKNAME" data_type: TYPE_STRING dims: [ 1 ] } ]
ensemble_scheduling { step [ { model_name: "one" }, { model_name: "two" }, { model_name: "one" } ] }
"""


def test_models_can_be_loaded_anew() -> None:
    command = Command.of([f"--model-repository={REPOSITORY}", "--http-port", "1234", "--grpc-port=99"])
    assert command.arguments[:3] == ("--model-control-mode=explicit", "--load-model=*", "--exit-timeout-secs=5")
    assert (command.control.host, command.control.port, command.grpc_url) == ("127.0.0.1", 1234, "127.0.0.1:99")
    assert command.repositories == (str(REPOSITORY),)


def test_a_server_for_everybody_is_asked_on_loopback() -> None:
    command = Command.of(["--http-address=0.0.0.0", "--grpc-address=::", "--load-model=one"])
    assert (command.control.host, command.grpc_url) == ("127.0.0.1", "[::1]:8001")
    assert "--load-model=*" not in command.arguments


def test_it_opens_what_is_closed_to_others_and_shows_nobody_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_ADMIN_KEY", "secret")
    command = Command.of(["--http-address=0.0.0.0", "--http-restricted-api=statistics,trace:other=hidden"])
    assert command.control.headers == {"admin-key": "secret", "other": "hidden"}
    assert command.environment["TRITON_ADMIN_KEY"] == "secret"
    assert "secret" not in repr(command.control)


def test_it_makes_a_key_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_ADMIN_KEY", raising=False)
    command = Command.of([])
    key = command.environment["TRITON_ADMIN_KEY"]
    assert len(key) == 64
    assert command.control.headers == {"admin-key": key}


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--model-control-mode=none", "--model-control-mode=none lets nobody load a model anew; leave the flag out"),
        ("--allow-http=false", "--allow-http=false leaves nothing to ask; leave the flag out"),
        ("--grpc-port=many", "--grpc-port=many is no port; expected a number"),
    ],
)
def test_flags_that_it_cannot_work_with(flag: str, reason: str) -> None:
    with pytest.raises(LaunchError) as error:
        Command.of([flag])
    assert str(error.value) == reason


def test_the_ensembles_of_this_repository() -> None:
    assert ensembles([str(REPOSITORY)]) == {
        "gender_densenet": ("preprocess", "densenet"),
        "gender_mobilenet": ("preprocess", "mobilenet"),
    }


def test_a_step_counts_once(tmp_path: Path) -> None:
    (tmp_path / "asks").mkdir()
    (tmp_path / "asks" / "config.pbtxt").write_text(ENSEMBLE)
    assert ensembles([str(tmp_path)]) == {"asks": ("one", "two")}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('name: "asks" platform: "ensemble"', r"no ensemble with the inputs AVATAR and NICKNAME in .*--model-rep"),
        ("names:", r"asks/config\.pbtxt cannot be read: 1:1 .*\"names\""),
    ],
)
def test_repositories_that_it_cannot_work_with(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "asks").mkdir()
    (tmp_path / "asks" / "config.pbtxt").write_text(text)
    with pytest.raises(LaunchError, match=reason):
        ensembles([str(tmp_path)])


def test_what_it_tells_others() -> None:
    status = Status(canaries={"one": Canary(Verdict.BROKEN, 0.25)}, restarts=2, revivals=Counter({"net": 3}))
    with serving(status, "127.0.0.1", 0) as port:
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


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def supervise(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "server.supervisor", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_busy_status_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
        done = supervise(f"--status-port={port}", f"--model-repository={REPOSITORY}")
    assert done.returncode == CANNOT_SERVE
    assert done.stderr == (
        f"supervisor: status port {port} on 127.0.0.1: Address already in use; pass --status-port=<free port>\n"
    )


def test_a_server_that_never_starts_is_not_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
        done = supervise(f"--http-port={port}", f"--status-port={free_ports(1)[0]}", f"--model-repository={REPOSITORY}")
    assert done.returncode == GAVE_UP
    assert f"HTTP port {port} on 127.0.0.1 is in use" in done.stderr
    assert done.stdout.endswith(
        "giving up: tritonserver ended by itself with exit code 2, before it ever answered; its log says why\n"
    )


def test_a_full_disk_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - closing it fails too
    monkeypatch.setattr(sys, "stdout", full)
    say("this is lost")
    with pytest.raises(OSError, match="No space left"):
        full.flush()
    with suppress(OSError):
        full.close()
