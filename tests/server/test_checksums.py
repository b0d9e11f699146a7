"""`SHA256SUMS`: publishing records model files, and the launcher rejects all others."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server.checksums import check_files, record
from server.errors import LaunchError
from tests.support.tritonserver import LAUNCHER, ROOT

PUBLISHED = b"published"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one published model file."""
    folder = tmp_path / "models"
    publish(folder, 1, PUBLISHED)
    (folder / "net" / "config.pbtxt").write_text("not checked")
    return folder


def publish(repository: Path, version: int, content: bytes) -> Path:
    file = repository / "net" / str(version) / "model.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    record(file, file, repository)
    return file


def test_manifest_has_one_line_per_file_in_the_format_of_sha256sum(repository: Path) -> None:
    publish(repository, 2, b"two")
    digests = (hashlib.sha256(content).hexdigest() for content in (PUBLISHED, b"two"))
    expected = "".join(f"{digest}  net/{version}/model.onnx\n" for version, digest in enumerate(digests, start=1))
    assert (repository / "SHA256SUMS").read_text() == expected
    check_files(repository)


def test_publishing_another_version_does_not_accept_a_changed_file(repository: Path) -> None:
    (repository / "net" / "1" / "model.onnx").write_bytes(b"changed")
    publish(repository, 2, b"two")
    with pytest.raises(LaunchError, match=r"net/1/model\.onnx has changed since it was published"):
        check_files(repository)


def test_publishing_a_version_again_replaces_its_digest(repository: Path) -> None:
    shutil.rmtree(repository / "net" / "1")
    publish(repository, 1, b"another")
    check_files(repository)


def test_first_manifest_trusts_existing_files(repository: Path) -> None:
    (repository / "SHA256SUMS").unlink()
    publish(repository, 2, b"two")
    check_files(repository)


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
