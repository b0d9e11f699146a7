"""The console script, run as a process of its own."""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.errors import LaunchError
from server.launch import launcher, runtime
from tests.support.tritonserver import LAUNCHER, ROOT, Server, free_ports, running_triton

HELP_EXIT_CODE = 1  # Triton's own
ENVIRONMENT_MODEL = """
import ssl, sys
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        answer = np.array([sys.prefix, np.__file__, ssl.__file__], np.object_)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("WHERE", answer)]) for _ in requests]
"""
ENVIRONMENT_CONFIG = """
backend: "python"
input [{ name: "X" data_type: TYPE_FP32 dims: [1] }]
output [{ name: "WHERE" data_type: TYPE_STRING dims: [3] }]
instance_group [{ count: 1 kind: KIND_CPU }]
"""


def run(*args: str, python: str = sys.executable, **environment: str) -> subprocess.CompletedProcess[str]:
    """The launcher with nothing in its environment but what is given."""
    command = [python, *LAUNCHER[1:], *args]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def refusal(*args: str, **environment: str) -> str:
    """The one line it ends with."""
    result = run(*args, HOME="/", **environment)
    assert (result.returncode, result.stdout) == (2, "")
    line, end = result.stderr.split("\n")
    assert end == ""
    return line


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "environment" / "1").mkdir(parents=True)
    (folder / "environment" / "config.pbtxt").write_text(ENVIRONMENT_CONFIG)
    (folder / "environment" / "1" / "model.py").write_text(ENVIRONMENT_MODEL)
    return folder


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def bare(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server started by a shell that knows nothing of the virtual environment."""
    monkeypatch.delenv("PATH")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    with running_triton(repository) as server:
        yield server


def test_models_see_this_environment_and_triton_ends_as_itself(bare: Server) -> None:
    body = json.dumps({"inputs": [{"name": "X", "datatype": "FP32", "shape": [1], "data": [0]}]}).encode()
    url = f"http://{bare.http_url}/v2/models/environment/infer"
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as response:
        prefix, numpy_file, ssl_file = json.load(response)["outputs"][0]["data"]
    assert prefix == sys.prefix
    assert Path(numpy_file).is_relative_to(sys.prefix)
    assert Path(ssl_file).is_relative_to(sys.base_prefix), "its libpython loads its own standard library"

    with urllib.request.urlopen(f"http://{bare.metrics_url}/metrics", timeout=10) as response:
        assert b"nv_inference_request_success" in response.read()
    assert Path(f"/proc/{bare.process.pid}/comm").read_text().strip() == "tritonserver", "exec, not a child"

    bare.process.send_signal(signal.SIGTERM)
    assert bare.process.wait(30) == 0


def test_freed_memory_is_kept_as_long_as_the_user_does_not_say_otherwise(repository: Path) -> None:
    with running_triton(repository, environment={"MALLOC_TOP_PAD_": "4096"}) as server:
        entries = Path(f"/proc/{server.process.pid}/environ").read_text().split("\0")
    allocator = {entry for entry in entries if entry.startswith("MALLOC_")}
    assert allocator == {
        f"MALLOC_MMAP_THRESHOLD_={2**23}",
        f"MALLOC_TRIM_THRESHOLD_={2**24}",
        "MALLOC_TOP_PAD_=4096",
    }


def test_a_busy_port_is_named_with_the_flag_that_moves_it(repository: Path, busy_port: int) -> None:
    free = [str(port) for port in free_ports(2)]
    line = refusal(f"--model-repository={repository}", "--http-port", str(busy_port), "--grpc-port", free[0])
    assert line == (
        f"tritonserver: HTTP port {busy_port} on 127.0.0.1 is in use; "
        "stop what listens there or pass --http-port=<free port>"
    )


@pytest.mark.parametrize(("service", "flag"), [("gRPC", "--grpc-port"), ("metrics", "--metrics-port")])
def test_every_busy_port_is_named(repository: Path, busy_port: int, service: str, flag: str) -> None:
    others = {"--http-port", "--grpc-port", "--metrics-port"} - {flag}
    ports = [f"{other}={port}" for other, port in zip(sorted(others), free_ports(2), strict=True)]
    line = refusal(f"--model-repository={repository}", f"{flag}={busy_port}", *ports)
    assert line.startswith(f"tritonserver: {service} port {busy_port} on 127.0.0.1 is in use")


def test_a_path_that_bash_would_take_apart_is_refused(tmp_path: Path) -> None:
    (tmp_path / "my models").mkdir()
    assert "has a space or a quote in its path" in refusal(f"--model-repository={tmp_path / 'my models'}")


@pytest.mark.parametrize("spelling", [["--model-repository=nowhere"], ["--model-store", "nowhere"]])
def test_a_missing_repository_is_named(spelling: list[str]) -> None:
    assert refusal(*spelling) == (
        "tritonserver: model repository 'nowhere' is not a folder; pass --model-repository=<folder>"
    )


def test_whoever_listens_wider_is_told_what_that_means(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing listens: what would become Triton is looked at instead."""
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda binary, arguments, environment: became.append(arguments))
    monkeypatch.setattr(launcher, "check_free", lambda endpoint: None)
    launcher.launch([f"--model-repository={repository}", "--http-address=0.0.0.0", "--http-restricted-api=trace:a=b"])
    launcher.launch([f"--model-repository={repository}"])
    wide, loopback = became
    assert (
        "predates security fixes: let only a front such as server.edge.reverse_proxy reach it"
        in capsys.readouterr().err
    )
    assert [flag for flag in wide if "restricted-api" in flag] == ["--http-restricted-api=trace:a=b"]
    assert len([flag for flag in wide if "restricted-protocol=model-repository,shared-memory," in flag]) == 1
    assert not [flag for flag in loopback if "restricted" in flag]


def test_without_the_wheel_it_says_what_to_install() -> None:
    result = subprocess.run(
        [sys.executable, "-S", *LAUNCHER[1:], "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 2
    assert result.stderr == (
        "tritonserver: no Triton in this environment; install it with: pip install -r requirements/serve.txt\n"
    )


def test_tritons_own_answers_and_exit_codes_pass_through(tmp_path: Path) -> None:
    version = run("--version", XDG_CACHE_HOME=str(tmp_path))
    assert (version.returncode, "unrecognized option '--version'" in version.stderr) == (HELP_EXIT_CODE, True)
    usage = run("--help", XDG_CACHE_HOME=str(tmp_path))
    assert (usage.returncode, "--model-repository <string>" in usage.stderr) == (HELP_EXIT_CODE, True)


def test_servers_started_together_share_one_runtime_folder(tmp_path: Path) -> None:
    command = [*LAUNCHER, "--help"]
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(6)
    ]
    assert [process.wait(60) for process in processes] == [HELP_EXIT_CODE] * 6
    (folder,) = (tmp_path / "gender-triton").iterdir()
    assert (folder / "backends" / "python" / "libtriton_python.so").is_file()
    assert (folder / "backends" / "onnxruntime" / "model.py").is_file()


def test_where_no_cache_can_be_written_a_temporary_folder_serves(tmp_path: Path) -> None:
    result = run("--help", XDG_CACHE_HOME=os.devnull, TMPDIR=str(tmp_path))
    assert result.returncode == HELP_EXIT_CODE
    assert [path.name for path in tmp_path.glob("tritonserver-*/*/*")]


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Linux", "aarch64")])
def test_other_platforms_are_refused(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(LaunchError, match=f"needs Linux on x86-64, this is {system} on {machine}"):
        launcher.check_platform()


def test_other_pythons_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(LaunchError, match=r"needs Python 3\.11 or 3\.12, this is 3\."):
        launcher.check_platform()


def test_a_missing_libpython_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: str(tmp_path))
    monkeypatch.setattr(runtime, "PYTHON_VERSION", "3.99")
    with pytest.raises(LaunchError, match=r"libpython3\.99\.so\.1\.0 not found; install it .*apt install libpython3"):
        runtime.find_libpython()


def test_the_systems_libpython_needs_no_link(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: None)
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert runtime.find_libpython() is None
