"""Hostile input to a live Triton over gRPC and HTTP: named errors, and a good user who sees nothing of it."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reliability.malformed.cases import Case, Expected, some
from reliability.malformed.cases.sample_per_kind import valid
from reliability.malformed.fuzz import Run
from reliability.malformed.isolated_worker import Outcome
from reliability.malformed.live_target import Wire, ask, half_open, memory_mb, watching, wire_to
from reliability.malformed.report import markdown, report, summarize
from reliability.malformed.requests import killer_cases, post_user, user
from reliability.malformed.runner import hold_open, send_all, unexpected
from tests.support.tritonserver import ROOT, Server, running_triton

# Half more than what the command has to find: other tests have used this server, and others use this machine.
MEMORY_MB = 1.5 * 256


def test_everything_on_every_route(triton: Server) -> None:
    seen: list[dict[str, Any]] = []
    rows = pd.DataFrame(send_all(triton, lambda cases: some(cases, 3), 1, seen))
    assert set(zip(rows["route"], rows["what"], strict=True)) == {
        (route, what) for route in ("gRPC", "HTTP") for what in ("avatar", "nickname", "request")
    }
    assert unexpected(rows).to_dict("records") == []
    assert [row for row in seen if row["wrong"] or not row["answers"] or row["memory_mb"] > MEMORY_MB] == []
    errors = rows[rows["result"].isin(["refused", "another error"])]
    assert errors["message"].str.len().min() > 5
    assert not errors["message"].str.contains(r"Traceback|\.py|site-packages").any()
    # A warning for each damaged tag would be megabytes.
    assert "UserWarning" not in triton.log()


def test_half_open_connections(triton: Server) -> None:
    found = hold_open(triton, 2000, seconds=1.0)
    assert found["answers"] > 0
    assert found["wrong"] == 0
    assert found["memory_mb"] < MEMORY_MB


def test_half_open_connections_are_open(triton: Server) -> None:
    connections = half_open(triton, 4)
    for connection in connections:
        connection.settimeout(0.1)
        # gRPC greets with its settings, HTTP waits for the rest; neither hangs up.
        with pytest.raises(TimeoutError):
            while connection.recv(1000) != b"":
                pass
        connection.close()


def test_valid_requests_are_answered(triton: Server) -> None:
    with wire_to(triton) as wire:
        for avatar in valid().values():
            assert wire.avatar_by_grpc(avatar).result == wire.avatar_by_http(avatar).result == "answered"
        assert wire.nickname_by_http("小美".encode()).result == "answered"
        assert wire.http(post_user(b"not an image", b"a")).message.startswith('400: {"error":"')
        assert wire.grpc(user(b"", b"\xff").SerializeToString()).message.startswith("INVALID_ARGUMENT: ")
        assert wire.grpc(b"\xff").result == "another error"


def test_who_watches_sees_what_is_wrong(triton: Server) -> None:
    with watching(triton) as watched:
        watched.expected = watched.expected + 1
        while not watched.answers:
            ask(triton)
    assert watched.wrong == watched.answers
    assert memory_mb(triton) > 100


def test_triton_alone_dies_of_nested_json() -> None:
    """As documented; with a Triton that bears it, the documents may say so."""
    nested = next(case for case in killer_cases() if case.name == "1,000,000 brackets").make()
    body = nested.replace(b"gender_mobilenet", b"preprocess", 1)
    flags = ("--model-control-mode=explicit", "--load-model=preprocess")
    with running_triton(ROOT / "model_repository", *flags) as server, wire_to(server) as wire:
        assert wire.http(body).result == "hung up"
        assert server.process.wait(20) != 0


def test_unexpected_results_are_seen() -> None:
    def row(what: str, expected: Expected, result: str) -> dict[str, object]:
        return {"what": what, "expected": str(expected), "result": result}

    wrong = [
        row("avatar", Expected.EITHER, "died"),
        row("avatar", Expected.EITHER, "another error"),
        row("avatar", Expected.ANSWER, "refused"),
        row("nickname", Expected.REFUSAL, "answered"),
        row("request", Expected.EITHER, "no answer"),
    ]
    right = [
        row("avatar", Expected.EITHER, "answered"),
        row("avatar", Expected.REFUSAL, "refused"),
        row("request", Expected.EITHER, "another error"),
        row("request", Expected.EITHER, "hung up"),
    ]
    assert unexpected(pd.DataFrame(wrong + right)).to_dict("records") == wrong


def test_no_server_no_answer() -> None:
    wire = Wire("127.0.0.1:1", "127.0.0.1:1")
    assert wire.grpc(b"").result == "no answer"
    wire.close()


def test_the_document(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {"route": "preprocessing", "what": "avatar", "kind": "bombs", "name": name, "expected": "answered"}
        | {"result": result, "message": "", "seconds": 0.5, "cpu_seconds": 0.25, "memory_mb": 100.0}
        for name, result in (("a", "answered"), ("b", "died"))
    )
    seen = [{"route": "gRPC", "what": "avatar", "answers": 7, "wrong": 0, "worst_s": 0.5, "memory_mb": 9.0}]
    seen[0] |= {"memory_after_mb": 3.0}
    killer = {"kind": "JSON depth", "name": "brackets", "front": False, "result": "hung up", "seconds": 0.1}
    runs = [Run("avatar", 10, 5, 2, "")]
    wrong = report(rows, seen, [killer | {"memory_mb": 1.0, "died": True}], runs, 1, tmp_path)
    assert [row["name"] for row in wrong] == ["b"]
    assert summarize(rows).to_dict("records")[0]["wrong"] == 1
    text = (tmp_path / "bad_input.md").read_text()
    assert "2 tries, 1 of them with a result that is not right" in text
    assert "| preprocessing | avatar | bombs | 2 | 1 | 0 | 0 | 0 | 0.50 | 0.25 | 100 |" in text
    assert "| preprocessing | bombs | b | died |" in text
    assert "| gRPC | avatar | 7 | 0 | 0.50 | 9 | 3 |" in text
    assert "| JSON depth | brackets | no | hung up | 0.1 | 1 | died |" in text
    assert "| avatar | 10 | 5 | 2 | no |" in text
    assert "Not right" not in markdown([], [], [], [], [])
    assert {"date", "machine", "seed", "kinds", "wrong"} <= json.loads((tmp_path / "bad_input.json").read_text()).keys()


def test_some_of_each_kind() -> None:
    cases = [Case(kind, str(number), bytes) for kind in "ab" for number in range(10)]
    assert [str(case) for case in some(cases, 2)] == ["a: 0", "a: 5", "b: 0", "b: 5"]
    assert Outcome("answered", "", 1.0).memory_mb == 0
