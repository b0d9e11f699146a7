"""The foreign clients' environment, in which nothing of this project is installed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(sys.prefix) / "compat"
SCRIPTS = Path(__file__).parent


def program(name: str) -> Path:
    """A program of that environment, `python` among them."""
    path = FOLDER / "bin" / name
    assert path.exists(), f"{path} is missing; install it with: make {FOLDER.parent.name}/compat.stamp"
    return path


def answer(script: str, question: dict[str, Any]) -> Any:
    """What a script beside this file prints when it reads the question; both are JSON."""
    command = [program("python"), SCRIPTS / script]
    run = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)
