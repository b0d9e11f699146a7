"""Shared memory of servers is removed: with its server, or at the next start if the server's parent was killed."""

import fcntl
from pathlib import Path
from typing import TextIO

import pytest

from server.launch import shared_memory
from server.launch.shared_memory import SharedMemory
from tests.support.tritonserver import running_triton


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shared_memory, "FOLDER", tmp_path)
    return tmp_path


def test_shared_memory_is_freed_with_its_server(folder: Path) -> None:
    memory, other = SharedMemory(), SharedMemory()
    (folder / f"{memory.prefix}region").touch()
    memory.free()
    assert [file.name for file in folder.iterdir()] == [f"{other.prefix}owner"]


def test_shared_memory_of_a_dead_parent_is_freed_at_the_next_start(folder: Path) -> None:
    for name in ("triton_7_ab_owner", "triton_7_ab_region", "triton_python_backend_shm_region"):
        (folder / name).touch()
    used = SharedMemory()
    (folder / f"{used.prefix}region").touch()
    SharedMemory()
    assert {file.name for file in folder.iterdir() if "owner" not in file.name} == {
        f"{used.prefix}region",
        "triton_python_backend_shm_region",  # not ours
    }


def test_start_beside_another_one_keeps_its_owner(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = fcntl.flock

    def lock_after_another_start(file: TextIO, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        shared_memory.free_orphans()
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", lock_after_another_start)
    memory = SharedMemory()
    assert [file.name for file in folder.iterdir()] == [f"{memory.prefix}owner"]
    shared_memory.free_orphans()
    assert [file.name for file in folder.iterdir()] == [f"{memory.prefix}owner"]


def test_server_leaves_no_region(tmp_path: Path) -> None:
    (tmp_path / "model" / "1").mkdir(parents=True)
    (tmp_path / "model" / "1" / "model.py").write_text("class TritonPythonModel: pass")
    config = 'backend: "python" output { name: "Y" data_type: TYPE_FP32 dims: [ 1 ] } max_batch_size: 0'
    (tmp_path / "model" / "config.pbtxt").write_text(config)
    with running_triton(tmp_path) as server:
        (flag,) = (
            each for each in Path(f"/proc/{server.process.pid}/cmdline").read_text().split("\0") if "shm" in each
        )
        prefix = flag.rpartition("=")[2]
        assert len(list(shared_memory.FOLDER.glob(f"{prefix}*"))) > 1
    assert list(shared_memory.FOLDER.glob(f"{prefix}*")) == []
