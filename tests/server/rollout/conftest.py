"""Runs the command on each module's own `repository`."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.rollout import __main__ as command

Rollout = Callable[..., str]


@pytest.fixture
def rollout(repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rollout:
    """Run the command with these arguments; returns its output. Raises SystemExit with the error message."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["rollout", *arguments, "--repository", str(repository)])
        command.main()
        return capsys.readouterr().out

    return run
