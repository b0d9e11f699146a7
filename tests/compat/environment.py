"""The environment of the foreign clients. Nothing of this project is installed in it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(sys.prefix) / "compat"
SCRIPTS = Path(__file__).parent


def program(name: str) -> Path:
    """A program of the environment, for example `python`."""
    path = FOLDER / "bin" / name
    assert path.exists(), f"{path} is missing; install it with: make {FOLDER.parent.name}/compat.stamp"
    return path


def run_script(script: str, arguments: dict[str, Any]) -> Any:
    """Run a script beside this file. It reads its arguments as JSON from stdin, and prints JSON."""
    command = [program("python"), SCRIPTS / script]
    run = subprocess.run(command, input=json.dumps(arguments), capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)
