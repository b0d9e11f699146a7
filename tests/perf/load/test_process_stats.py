"""What a server uses, read from the real one."""

import mmap
import os
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import pytest

from perf.load.process_stats import cpu_seconds, handles, held_mb, own_mb, resident_mb, sampled, shared_mb
from tests.support.tritonserver import Server

BUSY = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass\ninput()"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


def test_the_time_of_children_counts() -> None:
    command = [sys.executable, "-c", PARENT, BUSY]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as parent:
        spent = 0.0
        while spent < 0.5:
            assert parent.poll() is None
            spent = cpu_seconds(parent.pid)
        assert spent == pytest.approx(0.5, abs=0.3)
        parent.communicate(b"\n")


def test_memory_is_told_by_model(triton: Server) -> None:
    pid = triton.process.pid
    found, held, shared = resident_mb(pid), held_mb(pid), shared_mb(pid)
    assert found.keys() == {"tritonserver", "preprocess", "densenet", "mobilenet"}
    # What other servers on this machine share with it counts in parts.
    assert all(5 < size < 1000 for size in found.values())
    assert found["densenet"] > found["mobilenet"]
    assert held.keys() == found.keys()
    assert all(5 < size < 1000 for size in held.values())
    assert held["densenet"] > held["mobilenet"]
    # Three models of two stubs each share at least 1 MB with Triton.
    assert 6 <= shared < 1000


HOLDER = """
import sys, threading
files = [open(sys.argv[1], "w+b") for _ in range(20)]
leave = threading.Event()
threads = [threading.Thread(target=leave.wait) for _ in range(5)]
for thread in threads: thread.start()
print(flush=True)
input()
leave.set()
"""


def test_descriptors_and_threads_are_counted(tmp_path: Path) -> None:
    counts = []
    for code in ("print(flush=True); input()", HOLDER):
        command = [sys.executable, "-c", code, str(tmp_path / "file")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            counts.append(handles(process.pid))
            process.communicate(b"\n")
    plain, holding = counts
    assert holding["descriptors"] - plain["descriptors"] == 20
    assert holding["threads"] - plain["threads"] == 5


def test_shared_memory_counts_once_and_as_long_as_it_is_mapped() -> None:
    before = shared_mb(os.getpid())
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.write(bytes(3_000_000))
        file.flush()
        with mmap.mmap(file.fileno(), 0), mmap.mmap(file.fileno(), 0):
            assert shared_mb(os.getpid()) - before == pytest.approx(3, abs=0.1)
        assert shared_mb(os.getpid()) == before


def test_this_process_grows_by_what_it_keeps() -> None:
    before = own_mb()
    kept = bytearray(b"x" * 50_000_000)
    assert own_mb() - before == pytest.approx(50, abs=30)
    del kept


def test_samples_are_taken_until_it_is_left() -> None:
    numbers = count()
    with sampled(lambda: next(numbers), every_s=0.01) as found:
        end = time.monotonic() + 10
        while len(found) < 4:
            assert time.monotonic() < end
            time.sleep(0.01)
    assert found == list(range(len(found)))
    assert len(found) >= 5


def test_what_a_sample_raises_is_raised() -> None:
    answers = [1]
    with pytest.raises(IndexError), sampled(answers.pop, every_s=0.001):
        time.sleep(0.1)
