"""What publishing writes down is what the launcher asks for."""

from pathlib import Path

import pytest

from conversion.checksums import record
from server.errors import LaunchError
from server.launch.checksums import check_files


def published(repository: Path, version: int, content: bytes) -> Path:
    file = repository / "net" / str(version) / "model.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    record(file, file, repository)
    return file


def test_versions_are_added(tmp_path: Path) -> None:
    published(tmp_path, 1, b"one")
    published(tmp_path, 2, b"two")
    check_files(tmp_path)
    names = [line.split("  ")[1] for line in (tmp_path / "SHA256SUMS").read_text().splitlines()]
    assert names == ["net/1/model.onnx", "net/2/model.onnx"]


def test_publishing_does_not_make_an_altered_file_right(tmp_path: Path) -> None:
    published(tmp_path, 1, b"one").write_bytes(b"onf")
    published(tmp_path, 2, b"two")
    with pytest.raises(LaunchError, match=r"net/1/model\.onnx has changed since it was published"):
        check_files(tmp_path)


def test_a_version_published_again_has_its_new_bytes(tmp_path: Path) -> None:
    file = published(tmp_path, 1, b"one")
    file.unlink()
    file.parent.rmdir()
    published(tmp_path, 1, b"another")
    check_files(tmp_path)


def test_the_first_manifest_trusts_what_is_there(tmp_path: Path) -> None:
    published(tmp_path, 1, b"one")
    (tmp_path / "SHA256SUMS").unlink()
    published(tmp_path, 2, b"two")
    check_files(tmp_path)
