"""`SHA256SUMS`: what is published or recorded is served, from a private copy; everything else is rejected."""

import hashlib
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.checksums import check_files, record, record_all
from server.checksums.snapshot import refresh_snapshots, take_snapshot
from server.errors import LaunchError
from tests.support.server.gender_models import tree
from tests.support.tritonserver import LAUNCHER, ROOT

PUBLISHED = b"published"
EVIL = b"import os\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gender-triton" / "snapshots"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one published version of a model, and one Python model."""
    folder = tmp_path / "models"
    for file, content in {"net/config.pbtxt": b"", "code/config.pbtxt": b"", "code/1/model.py": b"pass\n"}.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    publish(folder, 1, PUBLISHED)
    return folder


def publish(repository: Path, version: int, content: bytes) -> Path:
    file = repository / "net" / str(version) / "model.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    record(file, file, repository)
    return file


def snapshot(repository: Path) -> Path:
    copy, errors = take_snapshot(repository)
    assert errors == []
    return copy


def test_manifest_has_one_line_per_file_in_the_format_of_sha256sum(repository: Path) -> None:
    publish(repository, 2, b"two")
    files = sorted(name for name in tree(repository) if "/" in name)
    lines = [f"{hashlib.sha256((repository / name).read_bytes()).hexdigest()}  {name}\n" for name in files]
    assert (repository / "SHA256SUMS").read_text() == "".join(lines)
    check_files(repository)


def test_publishing_another_version_does_not_accept_a_changed_file(repository: Path) -> None:
    (repository / "net" / "1" / "model.onnx").write_bytes(b"changed")
    publish(repository, 2, b"two")
    with pytest.raises(LaunchError, match=r"net/1/model\.onnx has changed since it was recorded"):
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


def changed(repository: Path) -> Path:
    file = repository / "code" / "1" / "model.py"
    file.write_bytes(EVIL)
    return file


def added(repository: Path) -> Path:
    file = repository / "code" / "1" / "helper.py"
    file.write_bytes(EVIL)
    return file


def added_model(repository: Path) -> Path:
    shutil.copytree(repository / "code", repository / "evil")
    return repository / "evil" / "1" / "model.py"


def linked(repository: Path) -> Path:
    file, other = repository / "code" / "1" / "model.py", repository.parent / "elsewhere.py"
    other.write_bytes(EVIL)
    file.unlink()
    file.symlink_to(other)
    return file


def fifo(repository: Path) -> Path:
    file = repository / "code" / "1" / "model.py"
    file.unlink()
    os.mkfifo(file)
    return file


@pytest.mark.parametrize("tamper", [changed, added, added_model, linked, fifo])
def test_tampering_stops_the_launcher_and_names_the_file(repository: Path, tamper: Callable[[Path], Path]) -> None:
    tamper(repository)
    command = [sys.executable, *LAUNCHER[1:], f"--model-repository={repository}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tritonserver: {repository}/{'evil' if tamper is added_model else 'code'}/")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("tamper", [changed, added])
def test_recording_an_edit_trusts_it(repository: Path, tamper: Callable[[Path], Path]) -> None:
    file = tamper(repository)
    with pytest.raises(LaunchError, match="record it if it is yours: ") as caught:
        check_files(repository)
    command = str(caught.value).rpartition("record it if it is yours: python")[2]
    done = subprocess.run(
        f"{sys.executable}{command}", cwd=ROOT, shell=True, check=True, capture_output=True, text=True
    )
    assert done.stdout == f"recorded {file.relative_to(repository)}\n"
    check_files(repository)


def test_compiled_python_drafts_and_stray_folders_are_not_served(repository: Path) -> None:
    whole = tree(repository)
    for name in ("code/1/__pycache__/model.cpython-312.pyc", "net/.publish-1/model.onnx", "notes/idea.txt", ".git/x"):
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_bytes(EVIL)
    assert tree(snapshot(repository)) == {name: content for name, content in whole.items() if "/" in name}


def test_snapshot_is_private_and_independent_of_the_repository(repository: Path) -> None:
    copy = snapshot(repository)
    before = tree(copy)
    for path in (copy, *copy.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o500 if path.is_dir() else 0o400)
    assert stat.S_IMODE(copy.parents[1].stat().st_mode) == 0o700
    for tamper in (changed, added_model):
        tamper(repository)
    assert tree(copy) == before


def test_snapshot_lacks_only_the_model_that_does_not_match(repository: Path) -> None:
    changed(repository)
    copy, (error,) = take_snapshot(repository)
    assert "code/1/model.py has changed" in str(error)
    assert {path.name for path in copy.iterdir()} == {"net"}


def test_refreshed_snapshot_follows_what_is_recorded(repository: Path) -> None:
    copy = snapshot(repository)
    kept = (copy / "net" / "1" / "model.onnx").stat().st_mtime_ns
    publish(repository, 2, b"two")
    shutil.rmtree(repository / "code")
    assert refresh_snapshots(repository) == []
    assert set(tree(copy)) == {"net/config.pbtxt", "net/1/model.onnx", "net/2/model.onnx"}
    assert (copy / "net" / "1" / "model.onnx").stat().st_mtime_ns == kept, "Triton would load it again"


def test_refresh_never_lets_a_changed_file_in(repository: Path) -> None:
    copy = snapshot(repository)
    before = tree(copy)
    changed(repository)
    assert "has changed" in str(refresh_snapshots(repository)[0])
    assert tree(copy) == before


def test_full_disk_is_reported_and_the_copy_stays_private(repository: Path) -> None:
    copy = snapshot(repository)
    publish(repository, 2, bytes(10**6))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10**5, hard))
    try:
        with pytest.raises(LaunchError, match=rf"^{repository} cannot be copied to {copy}: File too large; free space"):
            refresh_snapshots(repository)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert stat.S_IMODE(copy.stat().st_mode) == 0o500
    assert refresh_snapshots(repository) == []
    assert (copy / "net" / "2" / "model.onnx").stat().st_size == 10**6


@pytest.mark.parametrize("name", [b"\xff", b"two\nlines"])
def test_file_whose_name_is_no_line_of_text_is_rejected(repository: Path, name: bytes) -> None:
    (repository / "code" / "1" / os.fsdecode(name)).write_bytes(EVIL)
    for check in (check_files, record_all):
        with pytest.raises(LaunchError, match="has characters that are not printable in its path; remove it") as caught:
            check(repository)
        assert str(caught.value).isprintable()
    _, (error,) = take_snapshot(repository)
    assert "not printable" in str(error)


def test_snapshot_of_an_ended_server_is_removed_by_the_next_start(repository: Path, cache: Path) -> None:
    take = (
        f"from pathlib import Path; from server.checksums.snapshot import *; take_snapshot(Path({str(repository)!r}))"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", take], cwd=ROOT, check=True)
        assert len(list(cache.glob("*/source"))) == 1
    snapshot(repository)
    snapshot(repository)
    assert len(list(cache.glob("*/source"))) == 2, "those of living processes stay"


def test_folder_of_snapshots_that_others_can_change_is_rejected(repository: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o770)
    with pytest.raises(LaunchError, match="other users can change"):
        take_snapshot(repository)


def test_repository_without_manifest_is_not_checked(repository: Path) -> None:
    (repository / "SHA256SUMS").unlink()
    changed(repository)
    check_files(repository)


def test_manifest_may_list_a_missing_file(repository: Path) -> None:
    shutil.rmtree(repository / "net" / "1")
    check_files(repository)


def test_malformed_manifest_is_rejected(repository: Path) -> None:
    (repository / "SHA256SUMS").write_text("net/1/model.onnx\n")
    with pytest.raises(LaunchError, match=r"SHA256SUMS, line 1: expected a SHA-256, two spaces and a path"):
        check_files(repository)


def test_record_all_returns_what_is_new_changed_or_gone(repository: Path) -> None:
    changed(repository)
    added(repository)
    (repository / "net" / "1" / "model.onnx").unlink()
    assert record_all(repository) == ["code/1/helper.py", "code/1/model.py", "net/1/model.onnx"]
