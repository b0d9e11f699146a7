"""Run the tools that build a release."""

import subprocess
from pathlib import Path

from .errors import ReleaseError


def run(*command: str | Path, folder: Path) -> str:
    """Run a command in a folder and return its output.

    Raises:
        ReleaseError: The command fails; the message has its output.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
