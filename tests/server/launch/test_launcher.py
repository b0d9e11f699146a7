"""The console script `tritonserver`."""

import json
import os
import platform
import re
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
from server.launch.endpoints import Endpoint
from server.launch.flags import Flags
from tests.support.tritonserver import LAUNCHER, ROOT, Server, free_ports, running_triton

HELP_EXIT_CODE = 1  # Triton's, of --help
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


def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher with only the given environment variables."""
    return subprocess.run([*LAUNCHER, *args], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def launch_error(*args: str, **environment: str) -> str:
    """Run the launcher and return the one line that it fails with."""
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
    """A server started without an activated virtual environment."""
    for variable in ("PATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with running_triton(repository) as server:
        yield server


def test_models_run_in_this_environment_and_signals_reach_triton(bare: Server) -> None:
    body = json.dumps({"inputs": [{"name": "X", "datatype": "FP32", "shape": [1], "data": [0]}]}).encode()
    url = f"http://{bare.http_url}/v2/models/environment/infer"
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as response:
        prefix, numpy_file, ssl_file = json.load(response)["outputs"][0]["data"]
    assert prefix == sys.prefix
    assert Path(numpy_file).is_relative_to(sys.prefix)
    assert Path(ssl_file).is_relative_to(sys.base_prefix), "libpython loads this Python's standard library"

    with urllib.request.urlopen(f"http://{bare.metrics_url}/metrics", timeout=10) as response:
        assert b"nv_inference_request_success" in response.read()
    assert Path(f"/proc/{bare.process.pid}/comm").read_text().strip() == "tritonserver", "the launcher became Triton"

    bare.process.send_signal(signal.SIGTERM)
    assert bare.process.wait(30) == 0


def test_settings_of_libraries_can_be_overridden(repository: Path) -> None:
    with running_triton(repository, environment={"MALLOC_TOP_PAD_": "4096"}) as server:
        entries = Path(f"/proc/{server.process.pid}/environ").read_text().split("\0")
    expected = launcher.ALLOCATOR | launcher.ALGEBRA | {"MALLOC_TOP_PAD_": "4096"}
    settings = dict(entry.split("=", 1) for entry in entries if entry)
    assert {name: settings.get(name) for name in expected} == expected


def test_other_users_cannot_read_files_and_shared_memory_of_triton(repository: Path) -> None:
    with running_triton(repository) as server:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
        modes = {Path(region).stat().st_mode & 0o777 for region in re.findall(r"/dev/shm/\S+", maps)}
    assert "Umask:\t0077" in status
    assert modes == {0o600}


def test_only_configurations_with_checksums_count_as_complete(repository: Path) -> None:
    published, draft = f"--model-repository={ROOT / 'model_repository'}", f"--model-store={repository}"
    assert launcher.complete_flags(Flags([published])) == [launcher.COMPLETE_FLAG]
    assert launcher.complete_flags(Flags([published, draft])) == []
    assert launcher.complete_flags(Flags([])) == []


def test_port_that_does_not_exist_is_named(repository: Path) -> None:
    error = launch_error(f"--model-repository={repository}", "--grpc-port=65536")
    assert error == "tritonserver: --grpc-port: expected a port up to 65535, got 65536"


@pytest.mark.parametrize(
    ("service", "flag"), [("HTTP", "--http-port"), ("gRPC", "--grpc-port"), ("metrics", "--metrics-port")]
)
def test_busy_port_is_named_with_its_flag(repository: Path, busy_port: int, service: str, flag: str) -> None:
    others = {"--http-port", "--grpc-port", "--metrics-port"} - {flag}
    ports = [f"{other}={port}" for other, port in zip(sorted(others), free_ports(2), strict=True)]
    assert launch_error(f"--model-repository={repository}", flag, str(busy_port), *ports) == (
        f"tritonserver: {service} port {busy_port} on 127.0.0.1 is in use; "
        f"stop the process that listens there or pass {flag}=<free port>"
    )


@pytest.mark.parametrize("name", ["my models", "模型库"], ids=["space", "Chinese"])
def test_paths_that_the_stubs_cannot_use_are_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    problem = f"'{folder}' has a space, a shell character or a character outside ASCII; "
    assert launch_error(f"--model-repository={folder}", XDG_CACHE_HOME=str(tmp_path)) == (
        f"tritonserver: the path of model repository {problem}move it elsewhere"
    )
    assert launch_error(XDG_CACHE_HOME=str(folder)) == (
        f"tritonserver: the path of the cache {problem}set XDG_CACHE_HOME=<another folder>"
    )
    assert launch_error(XDG_CACHE_HOME=os.devnull, TMPDIR=str(folder)) == (
        f"tritonserver: the path of the temporary folder {problem}set TMPDIR=<another folder>"
    )


def test_environment_outside_ascii_is_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/home/小美/.venv")
    with pytest.raises(LaunchError, match=r"Python environment '/home/小美/\.venv' has a character outside ASCII"):
        launcher.launch([f"--model-repository={repository}"])


@pytest.mark.parametrize("spelling", [["--model-repository=nowhere"], ["--model-store", "nowhere"]])
def test_missing_repository_is_named(spelling: list[str]) -> None:
    assert launch_error(*spelling) == (
        "tritonserver: model repository 'nowhere' is not a folder; pass --model-repository=<folder>"
    )


def test_admin_apis_are_locked_and_non_loopback_address_warns(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Captures the command lines instead of executing them."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda binary, arguments, environment: commands.append(arguments))
    monkeypatch.setattr(Endpoint, "check_free", lambda endpoint: None)
    monkeypatch.setattr(launcher, "make_files_private", lambda: True)
    launcher.launch([f"--model-repository={repository}", "--http-address=0.0.0.0", "--http-restricted-api=trace:a=b"])
    launcher.launch([f"--model-repository={repository}"])
    exposed, loopback = commands
    assert capsys.readouterr().err.count("warning: tritonserver listens on non-loopback addresses") == 1
    assert [flag.partition(":")[0] for flag in exposed if "restricted-api" in flag] == [
        "--http-restricted-api=model-repository,shared-memory,logging",
        "--http-restricted-api=trace",
    ]
    assert len([flag for flag in loopback if "restricted" in flag and "=model-repository,shared-memory," in flag]) == 2


def test_missing_wheel_is_named_with_the_command_to_install_it() -> None:
    result = subprocess.run(
        [sys.executable, "-S", *LAUNCHER[1:], "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 2
    assert result.stderr == (
        "tritonserver: Triton is not installed in this environment; run: pip install -r requirements/serve.txt\n"
    )


def test_output_and_exit_codes_of_triton_pass_through(tmp_path: Path) -> None:
    version = run("--version", XDG_CACHE_HOME=str(tmp_path))
    assert (version.returncode, "unrecognized option '--version'" in version.stderr) == (HELP_EXIT_CODE, True)
    usage = run("--help", XDG_CACHE_HOME=str(tmp_path))
    assert (usage.returncode, "--model-repository <string>" in usage.stderr) == (HELP_EXIT_CODE, True)


def test_concurrent_starts_share_one_runtime_folder(tmp_path: Path) -> None:
    command = [*LAUNCHER, "--help"]
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(6)
    ]
    assert [process.wait(60) for process in processes] == [HELP_EXIT_CODE] * 6
    (folder,) = filter(Path.is_dir, (tmp_path / "gender-triton").iterdir())
    assert (folder.parent / "admin-key").is_file()
    assert (folder / "backends" / "python" / "libtriton_python.so").is_file()
    assert (folder / "backends" / "onnxruntime" / "model.py").is_file()


def test_unwritable_cache_falls_back_to_a_temporary_folder(tmp_path: Path) -> None:
    result = run("--help", XDG_CACHE_HOME=os.devnull, TMPDIR=str(tmp_path))
    assert result.returncode == HELP_EXIT_CODE
    assert [path.name for path in tmp_path.glob("tritonserver-*/*/*")]


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Linux", "aarch64")])
def test_other_platforms_are_rejected(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(LaunchError, match=f"expected Linux on x86-64, got {system} on {machine}"):
        launcher.check_platform()


def test_other_python_versions_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(LaunchError, match=r"expected Python 3\.11 or 3\.12, got 3\."):
        launcher.check_platform()


def test_missing_libpython_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: str(tmp_path))
    monkeypatch.setattr(runtime, "PYTHON_VERSION", "3.99")
    with pytest.raises(LaunchError, match=r"libpython3\.99\.so\.1\.0 not found; install it .*apt install libpython3"):
        runtime.find_libpython()


def test_libpython_of_the_system_needs_no_link(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: None)
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert runtime.find_libpython() is None
