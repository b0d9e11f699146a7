"""Malformed input to a live Triton over gRPC and HTTP: named errors, and no side effects on a valid client."""

import socket
import struct
import threading
from contextlib import closing

import pandas as pd
import pytest

from reliability.malformed.cases.valid_files import valid_files
from reliability.malformed.live_target import LiveTarget, half_open_connections
from reliability.malformed.requests import crashing_requests
from reliability.malformed.requests.grpc_requests import grpc_request
from reliability.malformed.requests.http_requests import http_request
from reliability.malformed.runner import hold_open, send_all, unexpected
from reliability.malformed.side_effects import embedding, memory_mb, side_effects
from tests.support.tritonserver import ROOT, Server, running_triton

# Half more than the goal: other tests have used this server.
MEMORY_MB = 1.5 * 256


def test_every_route_answers_or_refuses_every_kind(triton: Server) -> None:
    rows, effects = send_all(triton, per_kind=3, seed=1)
    table = pd.DataFrame(rows)
    assert set(zip(table["route"], table["what"], strict=True)) == {
        (route, what) for route in ("gRPC", "HTTP") for what in ("avatar", "nickname", "request")
    }
    assert unexpected(table).to_dict("records") == []
    assert [row for row in effects if row["wrong"] or not row["answers"] or row["memory_mb"] > MEMORY_MB] == []
    errors = table[table["result"].isin(["refused", "another error"])]
    assert errors["message"].str.len().min() > 5
    assert not errors["message"].str.contains(r"Traceback|\.py|site-packages").any()
    # One warning per damaged tag would fill the log.
    assert "UserWarning" not in triton.log()


def test_half_open_connections_do_not_disturb_others(triton: Server) -> None:
    effects = hold_open(triton, 2000, seconds=1.0)
    assert effects["answers"] > 0
    assert effects["wrong"] == 0
    assert effects["memory_mb"] < MEMORY_MB


def test_half_open_connections_stay_open(triton: Server) -> None:
    for connection in half_open_connections(triton, 4):
        connection.settimeout(0.1)
        # gRPC sends its settings, HTTP waits for the rest; neither closes the connection.
        with pytest.raises(TimeoutError):
            while connection.recv(1000) != b"":
                pass
        connection.close()


def test_target_distinguishes_results(triton: Server) -> None:
    with closing(LiveTarget(triton.http_url, triton.grpc_url)) as target:
        for avatar in valid_files().values():
            assert target.grpc(grpc_request(avatar, b"a")).result == "answered"
            assert target.http(http_request(avatar, "小美".encode())).result == "answered"
        assert target.http(http_request(b"not an image", b"a")).message.startswith('400: {"error":"')
        assert target.grpc(grpc_request(b"", b"\xff")).message.startswith("INVALID_ARGUMENT: ")
        assert target.grpc(b"\xff").result == "another error"


def test_target_without_server_has_no_answer() -> None:
    target = LiveTarget("127.0.0.1:1", "127.0.0.1:1")
    assert target.grpc(b"").result == "no answer"
    target.close()


def test_side_effects_count_wrong_answers(triton: Server) -> None:
    with side_effects(triton, expected=embedding(triton) + 1) as effects:
        embedding(triton)
    assert effects.wrong == effects.answers > 0
    assert memory_mb(triton) > 100


def test_triton_without_proxy_crashes_on_nested_json() -> None:
    """SECURITY.md says so; with a newer Triton, both can go."""
    nested = next(case for case in crashing_requests.cases() if case.name == "1,000,000 brackets").make()
    content = nested.replace(b"gender_mobilenet", b"preprocess", 1)
    flags = ("--model-control-mode=explicit", "--load-model=preprocess")
    with (
        running_triton(ROOT / "model_repository", *flags) as server,
        closing(LiveTarget(server.http_url, server.grpc_url)) as target,
    ):
        assert target.http(content).result == "hung up"
        assert server.process.wait(20) != 0


def reset_one_connection(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_reset_connection_is_hung_up() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        closing(LiveTarget(f"127.0.0.1:{listener.getsockname()[1]}", "127.0.0.1:1")) as target,
    ):
        resetting = threading.Thread(target=reset_one_connection, args=(listener,))
        resetting.start()
        assert target.http(bytes(100)).result == "hung up"
        resetting.join()
