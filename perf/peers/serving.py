"""A peer as a child process: started, asked until it answers, and ended with everything that it started."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from server.launch.process import ROOT

from ..load.http_client_load import HttpLoadError, ask
from ..load.workload import User
from .apps.predictor import MODEL
from .catalogue import Peer

# Ray starts half a dozen processes before it serves anything.
READY_S: Final = 90.0
POLL_S: Final = 0.05
STOP_S: Final = 15.0


class PeerError(RuntimeError):
    """A peer is not installed, did not come up, or answers otherwise than the others."""


@dataclass(frozen=True)
class Running:
    """A peer that answers: its process, and the seconds from its launch to its first answer."""

    pid: int
    ready_s: float


@contextmanager
def running(peer: Peer, port: int, model: Path, user: User) -> Iterator[Running]:
    """Start a peer on a model file, and end it.

    Raises:
        PeerError: it is not installed, or does not answer for this user in time; the message ends with its log.
    """
    if not (peer.environment / "bin").is_dir():
        raise PeerError(f"{peer.name} is not installed in {peer.environment}; install it with: make peers")
    with tempfile.TemporaryDirectory() as folder:
        start, log = time.perf_counter(), Path(folder) / "log"
        process = _start(peer, model, log)
        try:
            _wait(peer, port, user, process, log)
            yield Running(process.pid, time.perf_counter() - start)
        finally:
            _stop(process)


def _start(peer: Peer, model: Path, log: Path) -> subprocess.Popen[bytes]:
    empty = log.with_name("empty")
    empty.mkdir()
    command = [part.format(bin=peer.environment / "bin", folder=empty) for part in peer.command]
    modules = os.pathsep.join((str(ROOT), str(ROOT / "model_repository" / "preprocess" / "1")))
    paths = {"PYTHONPATH": modules, "PATH": os.pathsep.join((str(peer.environment / "bin"), os.environ["PATH"]))}
    variables = {**os.environ, **paths, MODEL: str(model), **peer.variables}
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=output, start_new_session=True)


def _wait(peer: Peer, port: int, user: User, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            ask(port, peer.request(user))
            return
        except (HttpLoadError, OSError) as exc:
            said = f"{exc}\n{log.read_text(errors='replace')}"
            if process.poll() is not None:
                raise PeerError(f"{peer.name} ended with {process.returncode}: {said}") from exc
            if time.monotonic() > deadline:
                raise PeerError(f"{peer.name} does not answer after {READY_S:g} s: {said}") from exc
        time.sleep(POLL_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it kindly, then for certain what is left of it; what leaves its process group stays its descendant."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(family, STOP_S)
