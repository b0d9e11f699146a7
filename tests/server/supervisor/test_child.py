"""What remains of a server when it ends, and when its supervisor is killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.launch.process import ROOT, end, free_ports, signals_blocked, spawn
from server.supervisor.ports import listens
from tests.support.waiting import wait_until

# The parent starts a child that ignores the stop signals, as a hung Triton does.
PARENT = """
import os, sys, time
from server.launch.process import spawn
child = spawn(["sleep", "600"], None, dict(os.environ))
print(child.pid, flush=True)
time.sleep(600)
"""
# A second stop signal arrives while the child of the first one is being ended; another thread receives it.
STOPPED_TWICE = """
import os, signal, sys, threading, time
from server.launch.process import end, exit_on_stop_signals, spawn
exit_on_stop_signals()
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
child = spawn(["bash", "-c", "trap '' TERM; sleep 600; sleep 600"], None, dict(os.environ))
try:
    print("started", flush=True)
    time.sleep(600)
finally:
    print("ending", flush=True)
    end(child, 1.0)
    print("ended", flush=True)
"""


def is_running(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def python(program: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_child_dies_with_its_killed_parent() -> None:
    with python(PARENT) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
        wait_until(lambda: not is_running(child), 5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_second_stop_signal_does_not_interrupt_the_cleanup(number: signal.Signals) -> None:
    with python(STOPPED_TWICE) as process:
        assert process.stdout
        assert process.stdout.readline() == "started\n"
        process.send_signal(number)
        assert process.stdout.readline() == "ending\n"
        for _ in range(3):
            time.sleep(0.1)
            process.send_signal(number)
        assert process.stdout.readline() == "ended\n"
    assert process.returncode == 128 + number


def test_stop_signal_arrives_after_the_block() -> None:
    received = []
    previous = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        with signals_blocked():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
            assert received == []
        assert received == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, previous)


def test_end_leaves_no_zombie() -> None:
    """Orphans are handed to a supervisor that is process 1 of a container, or a subreaper."""
    program = """
import os, time
from pathlib import Path
from server.launch.prctl import adopt_orphans
from server.launch.process import end, spawn
adopt_orphans()
child = spawn(["bash", "-c", "sleep 600 & sleep 600 & echo started; wait"], None, dict(os.environ))
time.sleep(0.5)
end(child, 0)
print(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
"""
    with python(program) as process:
        assert process.stdout
        assert process.stdout.read() == "started\n[]\n"


@pytest.fixture
def server() -> Iterator[tuple[int, int]]:
    """A process that listens, and its port."""
    (port,) = free_ports(1)
    process = spawn([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)], None, dict(os.environ))
    wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, 10)
    yield process.pid, port
    end(process, 0)


def test_listener_of_a_port_is_known_by_its_process(server: tuple[int, int]) -> None:
    pid, port = server
    assert listens(pid, port)
    assert not listens(os.getpid(), port)
    assert not listens(pid, port + 1)
    assert not listens(2**22 + 1, port)
