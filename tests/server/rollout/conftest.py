"""The command, for each module's own `repository`."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.rollout import __main__ as command

Lifecycle = Callable[..., str]


@pytest.fixture
def lifecycle(repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lifecycle:
    """Run it with these arguments; returns what it prints. Raises SystemExit with what it says of an error."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["lifecycle", *arguments, "--repository", str(repository)])
        command.main()
        return capsys.readouterr().out

    return run
