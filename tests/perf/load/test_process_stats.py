"""The resources of a real server."""

import mmap
import os
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import pytest

from perf.load.process_stats import anonymous_mb, cpu_seconds, handles, own_anonymous_mb, pss_mb, sampled, shared_mb
from tests.support.tritonserver import Server

BUSY = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass\ninput()"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
MODELS = ("preprocess", "densenet", "mobilenet", "picture_encoder", "gallery", "ranker", "screener")


def test_cpu_time_includes_children() -> None:
    command = [sys.executable, "-c", PARENT, BUSY]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as parent:
        spent = 0.0
        while spent < 0.5:
            assert parent.poll() is None
            spent = cpu_seconds(parent.pid)
        assert spent == pytest.approx(0.5, abs=0.3)
        parent.communicate(b"\n")


def test_memory_is_split_by_model(triton: Server) -> None:
    pid = triton.process.pid
    for sizes in (pss_mb(pid), anonymous_mb(pid)):
        assert sizes.keys() == {"tritonserver", *MODELS}
        assert all(5 < size < 1000 for size in sizes.values())
        assert sizes["densenet"] > sizes["mobilenet"]
    # Models of two stubs each share at least 1 MB with Triton.
    assert 6 <= shared_mb(pid) < 1000


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


def test_shared_memory_counts_once_while_it_is_mapped() -> None:
    before = shared_mb(os.getpid())
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.write(bytes(3_000_000))
        file.flush()
        with mmap.mmap(file.fileno(), 0), mmap.mmap(file.fileno(), 0):
            assert shared_mb(os.getpid()) - before == pytest.approx(3, abs=0.1)
        assert shared_mb(os.getpid()) == before


def test_own_memory_grows_with_allocations() -> None:
    before = own_anonymous_mb()
    kept = bytearray(b"x" * 50_000_000)
    assert own_anonymous_mb() - before == pytest.approx(50, abs=30)
    del kept


def test_samples_are_taken_until_exit() -> None:
    numbers = count()
    with sampled(lambda: next(numbers), every_s=0.01) as samples:
        end = time.monotonic() + 10
        while len(samples) < 4:
            assert time.monotonic() < end
            time.sleep(0.01)
    assert samples == list(range(len(samples)))
    assert len(samples) >= 5


def test_errors_of_sampling_are_raised_on_exit() -> None:
    answers = [1]
    with pytest.raises(IndexError), sampled(answers.pop, every_s=0.001):
        time.sleep(0.1)
