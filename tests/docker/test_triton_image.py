"""What the Triton image runs, with the wheel's Triton: same scripts, same flags."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from server.launch.process import free_ports
from tests.support.docker.dockerfiles import image
from tests.support.tritonserver import LAUNCHER, ROOT
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Container:
    """A running entrypoint."""

    process: subprocess.Popen[bytes]
    http_url: str
    grpc_url: str
    variables: dict[str, str]

    def health(self) -> int:
        """Run the health check and return its exit code."""
        return subprocess.run([str(ROOT / "docker" / "health.sh")], env=self.variables, capture_output=True).returncode


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The image's ENTRYPOINT and CMD, with the wheel's `tritonserver`."""
    folder = tmp_path_factory.mktemp("container")
    program = folder / "tritonserver"
    program.write_text(f'#!/bin/sh\ncd {ROOT} && exec {" ".join(LAUNCHER)} "$@"\n')
    program.chmod(0o755)
    http, grpc_, metrics = free_ports(3)
    variables = {
        **os.environ,
        **image("triton").environment,
        "PATH": os.pathsep.join((str(folder), str(Path(sys.executable).parent), os.environ["PATH"])),
        "TMPDIR": str(folder),
        "GENDERCLIENT_URL": f"grpc://127.0.0.1:{grpc_}",
    }
    # As .dockerignore copies it.
    models = shutil.copytree(ROOT / "model_repository", folder / "models", ignore=shutil.ignore_patterns("__pycache__"))
    entrypoint, *arguments = image("triton").command
    command = [
        str(ROOT / "docker" / entrypoint),
        *(word.replace("=/models", f"={models}") for word in arguments),
    ]
    own = [f"--http-port={http}", f"--grpc-port={grpc_}", f"--metrics-port={metrics}", "--exit-timeout-secs=2"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, *own], env=variables, stdout=log, stderr=log, start_new_session=True)
    try:
        yield Container(process, f"http://127.0.0.1:{http}", f"127.0.0.1:{grpc_}", variables)
    finally:
        process.kill()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_starting_triton_is_unhealthy_but_keeps_running(container: Container) -> None:
    assert container.health() == 1
    wait_until(lambda: container.health() == 0)
    assert container.process.poll() is None


@pytest.mark.parametrize("path", ["logging", "trace/setting", "systemsharedmemory/status", "repository/index"])
def test_admin_apis_are_locked_over_http(container: Container, path: str) -> None:
    method = "POST" if path.startswith("repository") else "GET"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(f"{container.http_url}/v2/{path}", method=method), timeout=5)


@pytest.mark.parametrize(
    "call",
    ["get_log_settings", "get_trace_settings", "get_system_shared_memory_status", "get_model_repository_index"],
)
def test_admin_apis_are_locked_over_grpc(container: Container, call: str) -> None:
    with (
        InferenceServerClient(container.grpc_url) as client,
        pytest.raises(InferenceServerException, match="restricted"),
    ):
        getattr(client, call)(client_timeout=5)


def test_container_ends_when_a_model_stops_answering(container: Container) -> None:
    wait_until(lambda: container.health() == 0)
    stubs = subprocess.run(
        ["pgrep", "--session", str(container.process.pid), "--full", "preprocess"], capture_output=True
    )
    assert stubs.stdout
    for pid in map(int, stubs.stdout.split()):
        os.kill(pid, signal.SIGKILL)
    assert container.health() == 1
    container.process.wait(60)


@pytest.mark.parametrize(
    ("name", "served", "output"),
    [
        ("model.onnx", b"as published", ""),
        ("model.onnx", b"something else", "net/model.onnx: FAILED"),
        ("model.py", b"added", "./net/model.py is not in SHA256SUMS"),
        (".publish-1/model.onnx", b"unfinished", ""),
    ],
)
def test_changed_or_added_model_file_stops_the_start(name: str, served: bytes, output: str, tmp_path: Path) -> None:
    program = tmp_path / "tritonserver"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    write_published(tmp_path / "models")
    file = tmp_path / "models" / "net" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(served)
    done = start(tmp_path)
    assert done.returncode == (1 if output else 0)
    assert output in done.stdout + done.stderr


def test_hidden_models_are_not_served_and_removed_versions_are_not_missed(tmp_path: Path) -> None:
    program = tmp_path / "tritonserver"
    program.write_text('#!/bin/sh\nfor each; do case $each in --model-repository=*) ls -A "${each#*=}";; esac; done\n')
    program.chmod(0o755)
    write_published(tmp_path / "models")
    (tmp_path / "models" / ".hidden" / "1").mkdir(parents=True)
    (tmp_path / "models" / ".hidden" / "1" / "model.py").write_text("")
    with (tmp_path / "models" / "SHA256SUMS").open("a") as manifest:
        manifest.write(f"{'0' * 64}  net/removed.onnx\n")
    done = start(tmp_path)
    assert (done.returncode, done.stdout.split()) == (0, ["SHA256SUMS", "net"])


@pytest.mark.parametrize("flags", [["--model-repository", "models"], ["--model-store=models"]])
def test_repository_that_would_not_be_verified_is_refused(flags: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [str(ROOT / "docker" / "triton.sh"), *flags],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected --model-repository=FOLDER" in done.stderr


@pytest.mark.parametrize("is_link", [False, True])
def test_file_that_changes_after_the_check_is_not_served(is_link: bool, tmp_path: Path) -> None:
    """This `tritonserver` changes the published file, and then reads the one that it serves."""
    program, published = tmp_path / "tritonserver", tmp_path / "models" / "net" / "model.onnx"
    read = 'for each; do case $each in --model-repository=*) cat "${each#*=}/net/model.onnx";; esac; done'
    program.write_text(f"#!/bin/sh\necho changed > {published}\n{read}\n")
    program.chmod(0o755)
    write_published(tmp_path / "models")
    if is_link:
        published.symlink_to(published.rename(tmp_path / "elsewhere"))
    for _ in range(2):
        published.write_bytes(b"as published")
        done = start(tmp_path)
        assert (done.returncode, done.stdout) == (0, "as published")
    (copy,) = tmp_path.glob("models.*")
    assert copy.stat().st_mode & 0o777 == 0o700


def write_published(repository: Path) -> None:
    (repository / "net").mkdir(parents=True)
    (repository / "SHA256SUMS").write_text(f"{hashlib.sha256(b'as published').hexdigest()}  net/model.onnx\n")
    (repository / "net" / "model.onnx").write_bytes(b"as published")


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the entrypoint on the repository `models` of a folder, with the program `tritonserver` in it."""
    command = [str(ROOT / "docker" / "triton.sh"), "--exit-on-error=true", f"--model-repository={folder / 'models'}"]
    variables = {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder)}
    return subprocess.run(command, env=variables, capture_output=True, text=True)
