"""Triton as a child process: the reasons why it does not start, and the cleanup when it ends."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from server.launch.process import ROOT, StartError, free_ports, running_triton

CONFIG = 'name: "incomplete" platform: "onnxruntime_onnx" max_batch_size: 0'


def test_busy_port_is_rejected_before_the_start(tmp_path: Path) -> None:
    ports = free_ports(3)
    listener = socket.create_server(("127.0.0.1", ports[1]))
    with listener, pytest.raises(StartError) as error, running_triton(tmp_path, ports=ports):
        pass
    assert error.value.reason == f"port {ports[1]} on 127.0.0.1 is in use; stop the process that listens there"


def test_start_error_names_the_model_that_failed_to_load(tmp_path: Path) -> None:
    (tmp_path / "incomplete" / "1").mkdir(parents=True)
    (tmp_path / "incomplete" / "config.pbtxt").write_text(CONFIG)
    with pytest.raises(StartError) as error, running_triton(tmp_path):
        pass
    assert error.value.reason.startswith("failed to load 'incomplete' version 1: ")
    assert "unable to find 'model.onnx'" in error.value.reason
    assert "\n" not in error.value.reason
    assert str(error.value).count("\n") > 5, "the log follows"


def test_start_error_gives_the_reason_of_the_launcher(tmp_path: Path) -> None:
    with pytest.raises(StartError) as error, running_triton(tmp_path / "nowhere"):
        pass
    assert "is not a folder" in error.value.reason


def test_process_and_port_are_gone_after_exit(tmp_path: Path) -> None:
    with running_triton(tmp_path) as server:
        assert server.process.poll() is None
    assert server.process.poll() is not None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(server.http_url.split(":")[1])), timeout=2)


def test_hangup_stays_ignored_under_nohup() -> None:
    program = (
        "import os, signal; from server.launch.process import exit_on_stop_signals; exit_on_stop_signals();"
        "os.kill(os.getpid(), signal.SIGHUP); print('alive', flush=True); os.kill(os.getpid(), signal.SIGTERM)"
    )
    for command, output, code in (
        (["nohup", sys.executable], "alive", 128 + signal.SIGTERM),
        ([sys.executable], "", 128 + signal.SIGHUP),
    ):
        call = [*command, "-c", program]
        done = subprocess.run(call, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert (done.stdout.strip(), done.returncode) == (output, code)
