"""The install steps of a Dockerfile without a container engine: each stage in a clean virtual environment.

The base image is replaced by a Python of its version, `/` by a folder; COPY honours .dockerignore, and of RUN what
calls pip or Python is run as it stands. Downloads what a build would download.
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
# As compose and Kubernetes run it: nothing can be written but /tmp, nothing in /tmp executed, no capabilities.
HARDENED: Final = (
    *("unshare", "--mount", "--map-root-user", "sh", "-c"),
    "mount -o remount,bind,ro / && mount -t tmpfs -o mode=1777,noexec tmpfs /tmp && "
    'exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"',
    "sh",
)


class ReplayError(Exception):
    """A step failed, or there is nothing to replay it with."""


@dataclass
class Built:
    """A stage whose install steps were done below `root`, with the Python of `environment`."""

    stage: Stage
    root: Path
    environment: Path
    workdir: str = "/"
    variables: dict[str, str] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Where a path of the image lies here."""
        return self.root / (PurePosixPath(self.workdir) / name).relative_to("/")

    def run(self, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """Run to the end what the image would run."""
        return subprocess.run(
            command, cwd=self.path(""), env=self.all_variables(**variables), capture_output=True, text=True
        )

    @contextmanager
    def running(self, command: list[str], log: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run what the image would run, hardened, until left; whatever it started ends with it."""
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
        """The image's variables, its paths moved here; nothing of ours but where programs are."""
        path = os.pathsep.join((str(self.environment / "bin"), os.environ.get("PATH", os.defpath)))
        return {"PATH": path, "HOME": str(self.root), "PIP_DISABLE_PIP_VERSION_CHECK": "1", **self.variables, **more}


def find_python(version: str = VERSION) -> str:
    """A Python of that version: on PATH, or where pyenv keeps them.

    Raises:
        ReplayError: there is none.
    """
    kept = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python{version}"))
    found = str(kept[-1]) if kept else shutil.which(f"python{version}")
    if found is None:
        raise ReplayError(f"there is no python{version} here; install it, or say where one is: --python <path>")
    return found


def build(file: Path, python: str, folder: Path) -> Built:
    """Do the install steps of all stages; returns the last one."""
    built: dict[str, Built] = {}
    for number, stage in enumerate(stages(file)):
        (folder / str(number)).mkdir(parents=True)
        built[stage.name or "image"] = _build_stage(stage, python, folder / str(number), built)
    return built["image"]


def _build_stage(stage: Stage, python: str, folder: Path, others: dict[str, Built]) -> Built:
    subprocess.run([python, "-m", "venv", str(folder / "environment")], check=True)
    made = Built(stage, folder / "root", folder / "environment")
    made.root.mkdir()
    for instruction, value in stage.instructions:
        if instruction == "WORKDIR":
            made.workdir = str(PurePosixPath(made.workdir) / value)
            made.path("").mkdir(parents=True, exist_ok=True)
        elif instruction == "ENV":
            made.variables |= {name: _moved(given, made.root) for name, given in pairs(value)}
        elif instruction == "COPY":
            _copy(value, made, others)
        elif instruction == "RUN":
            _run(value, made)
    return made


def _moved(value: str, root: Path) -> str:
    """Of a variable that holds paths of the image: where they lie here."""
    return ":".join(f"{root}{part}" if part.startswith("/") else part for part in value.split(":"))


def _copy(value: str, made: Built, others: dict[str, Built]) -> None:
    stage, sources, destination = copied(value)
    for source in sources:
        if stage:
            shutil.copytree(others[stage].path(source), made.path(destination))
            continue
        files = files_of(source)
        if not files:
            raise ReplayError(f"COPY {source}: there is no such file in the context; see .dockerignore")
        for file in files:
            # Of a folder its content is copied, of a file the file.
            place = made.path(destination) / (file.relative_to(source) if (ROOT / source).is_dir() else file.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, place)


def _run(value: str, made: Built) -> None:
    shown = " ".join(value.split())
    if not {"pip", "python", "python3"} & set(words(value)):
        print(f"  not done: RUN {shown}", flush=True)
        return
    print(f"  RUN {shown}", flush=True)
    done = made.run(words(value) if value.startswith("[") else ["/bin/sh", "-c", value])
    if done.returncode:
        raise ReplayError(f"RUN {shown}\n{done.stdout}{done.stderr}")
