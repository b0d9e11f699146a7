"""Jobs on a fake server that records what it receives."""

import re
from pathlib import Path
from typing import Any, Protocol

import pytest

from genderclient import Client, FakeTransport, InferenceRequest, InferenceResponse
from genderclient.tables import ClientSettings, Columns, JobResult, TableJob
from tests.support.client.fakes import respond_male

PROBE = re.compile(rb"[0-9a-f]{32}")

Requests = list[tuple[bytes, str]]


class Score(Protocol):
    def __call__(self, users: Path, output: Path | None = None, /, **options: Any) -> JobResult: ...


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    """Avatar and nickname of each user, in the order of the rows."""
    received: Requests = []

    def respond(request: InferenceRequest) -> InferenceResponse:
        values = {tensor.name: tensor.values[0] for tensor in request.inputs}
        # Checks of readiness have a new nickname each.
        if any(values.values()) and not PROBE.fullmatch(values["NICKNAME"]):
            received.append((values["AVATAR"], values["NICKNAME"].decode()))
        return respond_male(request)

    monkeypatch.setattr(ClientSettings, "client", lambda self: Client(transport=FakeTransport(respond)))
    return received


@pytest.fixture
def score(requests: Requests) -> Score:
    """Score a table one user after the other, by default into `out.jsonl` beside it."""

    def run(users: Path, output: Path | None = None, /, **options: Any) -> JobResult:
        columns = Columns(**{role: options.pop(role) for role in ("avatar", "nickname", "id") if role in options})
        job = TableJob(users, output or users.parent / "out.jsonl", columns, ClientSettings(), **options)
        return job.run(concurrency=1)

    return run
