"""Served are the bytes that were published, or nothing."""

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
    """A model that was published, and what is no model file."""
    folder = tmp_path / "models"
    (folder / "net" / "1").mkdir(parents=True)
    (folder / "net" / "1" / "model.onnx").write_bytes(PUBLISHED)
    (folder / "net" / "config.pbtxt").write_text("of no matter here")
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(PUBLISHED).hexdigest()}  net/1/model.onnx\n")
    return folder


def test_ours_is_as_published_and_the_usual_tool_agrees() -> None:
    repository = ROOT / "model_repository"
    check_files(repository)
    tool = shutil.which("sha256sum")
    assert tool
    subprocess.run([tool, "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=repository, check=True)


def test_one_byte_is_enough(repository: Path) -> None:
    check_files(repository)
    file = repository / "net" / "1" / "model.onnx"
    file.write_bytes(b"publishee")
    command = [sys.executable, *LAUNCHER[1:], f"--model-repository={repository}"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (refused.returncode, refused.stdout) == (2, "")
    found, expected = (hashlib.sha256(content).hexdigest() for content in (b"publishee", PUBLISHED))
    assert refused.stderr == (
        f"tritonserver: {file} was changed since it was published: its SHA-256 is {found}, "
        f"{repository}/SHA256SUMS has {expected}; "
        f"restore it (git checkout -- {file}) or publish the model again\n"
    )


def test_what_nobody_published_is_not_served(repository: Path) -> None:
    shutil.copytree(repository / "net" / "1", repository / "net" / "2")
    with pytest.raises(
        LaunchError, match=r"net/2/model\.onnx is not in .*SHA256SUMS: nobody published it; .* trust it: (.*)"
    ) as caught:
        check_files(repository)
    subprocess.run(str(caught.value).rpartition("trust it: ")[2], shell=True, check=True)
    check_files(repository)


def test_without_a_manifest_nothing_is_checked(repository: Path) -> None:
    (repository / "SHA256SUMS").unlink()
    (repository / "net" / "1" / "model.onnx").write_bytes(b"anything")
    check_files(repository)


def test_a_version_that_is_gone_is_no_matter(repository: Path) -> None:
    shutil.rmtree(repository / "net" / "1")
    check_files(repository)


def test_a_manifest_that_is_none(repository: Path) -> None:
    (repository / "SHA256SUMS").write_text("net/1/model.onnx\n")
    with pytest.raises(LaunchError, match=r"SHA256SUMS, line 1: expected a SHA-256, two spaces and a path"):
        check_files(repository)
