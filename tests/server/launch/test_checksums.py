"""The launcher serves only the model files that were published."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server.errors import LaunchError
from server.launch.checksums import check_files
from tests.support.tritonserver import LAUNCHER, ROOT

PUBLISHED = b"published"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one published model file."""
    folder = tmp_path / "models"
    (folder / "net" / "1").mkdir(parents=True)
    (folder / "net" / "1" / "model.onnx").write_bytes(PUBLISHED)
    (folder / "net" / "config.pbtxt").write_text("not checked")
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(PUBLISHED).hexdigest()}  net/1/model.onnx\n")
    return folder


def test_own_repository_passes_here_and_in_sha256sum() -> None:
    repository = ROOT / "model_repository"
    check_files(repository)
    tool = shutil.which("sha256sum")
    assert tool
    subprocess.run([tool, "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=repository, check=True)


def test_one_changed_byte_stops_the_launcher(repository: Path) -> None:
    check_files(repository)
    file = repository / "net" / "1" / "model.onnx"
    file.write_bytes(b"publishee")
    command = [sys.executable, *LAUNCHER[1:], f"--model-repository={repository}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    actual, expected = (hashlib.sha256(content).hexdigest() for content in (b"publishee", PUBLISHED))
    assert done.stderr == (
        f"tritonserver: {file} has changed since it was published: expected SHA-256 {expected} "
        f"({repository}/SHA256SUMS), got {actual}; restore it (git checkout -- {file}) or publish the model again\n"
    )


def test_unpublished_file_is_rejected_with_a_command_to_trust_it(repository: Path) -> None:
    shutil.copytree(repository / "net" / "1", repository / "net" / "2")
    with pytest.raises(LaunchError, match=r"net/2/model\.onnx is not in .*SHA256SUMS: .* trust it: ") as caught:
        check_files(repository)
    subprocess.run(str(caught.value).rpartition("trust it: ")[2], shell=True, check=True)
    check_files(repository)


def test_repository_without_manifest_is_not_checked(repository: Path) -> None:
    (repository / "SHA256SUMS").unlink()
    (repository / "net" / "1" / "model.onnx").write_bytes(b"anything")
    check_files(repository)


def test_manifest_may_list_a_missing_file(repository: Path) -> None:
    shutil.rmtree(repository / "net" / "1")
    check_files(repository)


def test_malformed_manifest_is_rejected(repository: Path) -> None:
    (repository / "SHA256SUMS").write_text("net/1/model.onnx\n")
    with pytest.raises(LaunchError, match=r"SHA256SUMS, line 1: expected a SHA-256, two spaces and a path"):
        check_files(repository)
