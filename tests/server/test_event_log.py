"""The JSON lines of the supervisor and of the models: one format, request ids, no inputs."""

import io
import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from genderclient import Client, InvalidAvatar, User
from reliability.faults.replica import logged_events
from server.event_log import log_event
from tests.support.markers import NAME, found, planted_png
from tests.support.tritonserver import ROOT, Server
from tests.support.waiting import wait_until

FLOOD = 200


def events_of(server: Server, source: str) -> list[dict[str, Any]]:
    """The events of one source; Triton's own lines are not JSON."""
    return [each for each in logged_events(server.log()) if isinstance(each, dict) and each["source"] == source]


@pytest.fixture
def client(triton: Server) -> Iterator[Client]:
    with Client(f"grpc://{triton.grpc_url}") as client:
        yield client


def test_rejected_input_is_logged_by_the_id_of_its_request(triton: Server, client: Client) -> None:
    with pytest.raises(InvalidAvatar) as caught:
        client.predict(avatar=b"not an image " + NAME.encode(), nickname=NAME)

    def line() -> list[dict[str, Any]]:
        return [each for each in events_of(triton, "preprocess") if each["request"] == caught.value.request_id]

    wait_until(lambda: bool(line()))
    (event,) = line()
    assert datetime.fromisoformat(event.pop("time")).tzinfo
    assert event.pop("unlogged") >= 0
    assert event == {
        "level": "warning",
        "source": "preprocess",
        "event": "request_failed",
        "request": caught.value.request_id,
        "tensor": "AVATAR",
        "reason": "not_an_image",
    }


def test_predictions_and_inputs_are_not_logged(triton: Server, client: Client) -> None:
    before = len(triton.log())
    prediction = client.predict(avatar=planted_png(), nickname=NAME)
    log = triton.log()[before:]
    assert prediction.request_id not in log
    assert found(log.encode()) == set()


def test_flood_of_bad_requests_is_counted_but_not_written(triton: Server, client: Client) -> None:
    before = len(events_of(triton, "preprocess"))
    rejected = [scored.error for scored in client.predict_many([User(avatar=b"x")] * FLOOD, concurrency=8)]
    assert all(isinstance(error, InvalidAvatar) for error in rejected)
    assert 0 < len(events_of(triton, "preprocess")) - before < FLOOD / 2


def test_line_of_the_supervisor_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    log_event("supervisor", "reload", "net: two\nlines", "warning", models=("net",))
    (line,) = capsys.readouterr().out.splitlines()
    event = json.loads(line)
    assert datetime.fromisoformat(event.pop("time")).tzinfo
    assert event == {
        "level": "warning",
        "source": "supervisor",
        "event": "reload",
        "message": "net: two\nlines",
        "models": ["net"],
    }


def test_any_file_name_can_be_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of an added file need not be UTF-8; the terminal may have another encoding."""
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="latin-1"))
    message = os.fsdecode(b"net/1/\xff") + "小美"
    log_event("supervisor", "file_rejected", message)
    assert json.loads(out.getvalue())["message"] == message


def test_both_request_logs_have_the_same_code() -> None:
    """The model repository and the backend are deployed without each other, so each has a copy."""
    copies = ("model_repository/preprocess/1/request_log.py", "server/backends/onnxruntime/ort_log.py")
    first, second = ((ROOT / copy).read_text(encoding="utf-8").partition("\nfrom __future__") for copy in copies)
    assert first[1:] == second[1:]
    assert "class RequestLog" in first[2]
