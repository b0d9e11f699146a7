"""The command in this process, connected to a real server."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from genderclient._cli.app import app
from tests.support.tritonserver import Server

Run = Callable[..., Result]


@pytest.fixture
def run(triton: Server, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("GENDERCLIENT_URL", f"grpc://{triton.grpc_url}")
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
