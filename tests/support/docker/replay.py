"""Executes a Dockerfile without a container engine: each stage in a clean virtual environment.

A Python of the same version replaces the base image, and a folder replaces `/`. COPY honors .dockerignore. RUN commands
are executed if they call pip or Python. This downloads what a build would download.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from tests.support.docker.context import files_of
from tests.support.docker.dockerfiles import Stage, copied, pairs, stages, words
from tests.support.tritonserver import ROOT

VERSION: Final = "3.12"
STOP_S: Final = 40.0
# As compose and Kubernetes run it: only /tmp is writable, /tmp is not executable, and there are no capabilities.
HARDENED: Final = (
    *("unshare", "--mount", "--map-root-user", "sh", "-c"),
    "mount -o remount,bind,ro / && mount -t tmpfs -o mode=1777,noexec tmpfs /tmp && "
    'exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"',
    "sh",
)


class ReplayError(Exception):
    """A step failed, or a program that it needs is missing."""


@dataclass
class Built:
    """A stage that was executed below `root`, with the Python of `environment`."""

    stage: Stage
    root: Path
    environment: Path
    workdir: str = "/"
    variables: dict[str, str] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Return the path on this machine for a path of the image."""
        return self.root / (PurePosixPath(self.workdir) / name).relative_to("/")

    def run(self, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the image to its end."""
        return subprocess.run(
            command, cwd=self.path(""), env=self.all_variables(**variables), capture_output=True, text=True
        )

    @contextmanager
    def running(self, command: list[str], log: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command of the image, hardened, until the context exits; its children end with it."""
        environment = self.all_variables(**variables)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*HARDENED, *command],
                cwd=self.path(""),
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def all_variables(self, **more: str) -> dict[str, str]:
        """Return the image's variables with paths on this machine; only PATH is inherited."""
        path = os.pathsep.join((str(self.environment / "bin"), os.environ.get("PATH", os.defpath)))
        return {"PATH": path, "HOME": str(self.root), "PIP_DISABLE_PIP_VERSION_CHECK": "1", **self.variables, **more}


def find_python(version: str = VERSION) -> str:
    """Return a Python of this version, from pyenv or from PATH.

    Raises:
        ReplayError: There is none.
    """
    versions = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python{version}"))
    python = str(versions[-1]) if versions else shutil.which(f"python{version}")
    if python is None:
        raise ReplayError(f"python{version} was not found; install it or pass --python <path>")
    return python


def build(file: Path, python: str, folder: Path) -> Built:
    """Execute all stages and return the last one."""
    by_name: dict[str, Built] = {}
    for number, stage in enumerate(stages(file)):
        (folder / str(number)).mkdir(parents=True)
        by_name[stage.name or "image"] = _build_stage(stage, python, folder / str(number), by_name)
    return by_name["image"]


def _build_stage(stage: Stage, python: str, folder: Path, others: dict[str, Built]) -> Built:
    subprocess.run([python, "-m", "venv", str(folder / "environment")], check=True)
    built = Built(stage, folder / "root", folder / "environment")
    built.root.mkdir()
    for instruction, value in stage.instructions:
        if instruction == "WORKDIR":
            built.workdir = str(PurePosixPath(built.workdir) / value)
            built.path("").mkdir(parents=True, exist_ok=True)
        elif instruction == "ENV":
            built.variables |= {name: _moved(given, built.root) for name, given in pairs(value)}
        elif instruction == "COPY":
            _copy(value, built, others)
        elif instruction == "RUN":
            _run(value, built)
    return built


def _moved(value: str, root: Path) -> str:
    """Return the value of a path variable with paths on this machine."""
    return ":".join(f"{root}{part}" if part.startswith("/") else part for part in value.split(":"))


def _copy(value: str, built: Built, others: dict[str, Built]) -> None:
    stage, sources, destination = copied(value)
    for source in sources:
        if stage:
            shutil.copytree(others[stage].path(source), built.path(destination))
            continue
        files = files_of(source)
        if not files:
            raise ReplayError(f"COPY {source}: not in the build context; see .dockerignore")
        for file in files:
            # COPY copies the content of a folder, not the folder itself.
            place = built.path(destination) / (file.relative_to(source) if (ROOT / source).is_dir() else file.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, place)


def _run(value: str, built: Built) -> None:
    shown = " ".join(value.split())
    if not {"pip", "python", "python3"} & set(words(value)):
        print(f"  skipped: RUN {shown}", flush=True)
        return
    print(f"  RUN {shown}", flush=True)
    done = built.run(words(value) if value.startswith("[") else ["/bin/sh", "-c", value])
    if done.returncode:
        raise ReplayError(f"RUN {shown}\n{done.stdout}{done.stderr}")
