"""Triton as a child: what a person is told when it does not come up, and that nothing is left when it ends."""

import socket
from pathlib import Path

import pytest

from server.launch.process import StartError, free_ports, running_triton

CONFIG = 'name: "lost" platform: "onnxruntime_onnx" max_batch_size: 0'


def test_a_server_on_the_same_port_is_not_taken_for_ours(tmp_path: Path) -> None:
    ports = free_ports(3)
    there = socket.create_server(("127.0.0.1", ports[1]))
    with there, pytest.raises(StartError) as error, running_triton(tmp_path, ports=ports):
        pass
    assert error.value.reason == f"port {ports[1]} on 127.0.0.1 is in use; stop what listens there"


def test_the_reason_names_the_model_that_failed(tmp_path: Path) -> None:
    (tmp_path / "lost" / "1").mkdir(parents=True)
    (tmp_path / "lost" / "config.pbtxt").write_text(CONFIG)
    with pytest.raises(StartError) as error, running_triton(tmp_path):
        pass
    assert error.value.reason.startswith("failed to load 'lost' version 1: ")
    assert "unable to find 'model.onnx'" in error.value.reason
    assert "\n" not in error.value.reason
    assert str(error.value).count("\n") > 5


def test_the_reason_is_the_launchers(tmp_path: Path) -> None:
    with pytest.raises(StartError) as error, running_triton(tmp_path / "nowhere"):
        pass
    assert "is not a folder" in error.value.reason


def test_nothing_is_left(tmp_path: Path) -> None:
    with running_triton(tmp_path) as server:
        assert server.process.poll() is None
    assert server.process.poll() is not None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(server.http_url.split(":")[1])), timeout=2)
