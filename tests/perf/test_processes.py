"""What a server uses, read from the real one."""

import subprocess
import sys

import pytest

from perf.processes import cpu_seconds, resident_mb
from tests.tritonserver import ROOT, running_triton

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


def test_memory_is_told_by_model() -> None:
    with running_triton(ROOT / "model_repository") as server:
        found = resident_mb(server.process.pid)
    assert found.keys() == {"tritonserver", "preprocess", "densenet", "mobilenet"}
    assert all(20 < size < 1000 for size in found.values())
    assert found["densenet"] > found["mobilenet"]
