"""Run a peer as a child process: start it, wait for its first answer, and stop it with everything that it started."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from server.launch.process import ROOT, end, spawn

from ..load.http_client_load import HttpLoadError, post_json
from ..load.predictor import MODEL
from ..load.workload import SyntheticUser
from ..report.experiment import MeasurementError
from .catalogue import Peer

# Ray starts half a dozen processes before it serves.
READY_S: Final = 90.0
POLL_S: Final = 0.05
STOP_S: Final = 15.0


class PeerError(MeasurementError):
    """A peer is not installed, did not start, or answers differently from the network."""


@dataclass(frozen=True)
class PeerProcess:
    """A peer that answers.

    Attributes:
        pid: Its process, the parent of all others.
        url: Its address, host:port.
        ready_s: Time from launch to the first answer.
    """

    pid: int
    url: str
    ready_s: float


@contextmanager
def running(peer: Peer, ports: Sequence[int], backbone: str, model: Path, user: SyntheticUser) -> Iterator[PeerProcess]:
    """Start a peer on an ONNX file and three free ports, wait until it answers about a user, and stop it on exit.

    Raises:
        PeerError: It is not installed or does not answer in time; the message ends with its log.
    """
    if not (peer.environment / "bin").is_dir():
        raise PeerError(f"{peer.name} is not installed in {peer.environment}; install it with: make peers")
    with tempfile.TemporaryDirectory() as name:
        folder, start = Path(name), time.perf_counter()
        values = dict(zip(("http", "grpc", "metrics"), map(str, ports), strict=True))
        values |= {"bin": str(peer.environment / "bin"), "backbone": backbone}
        process = _start(peer, values, model, folder)
        url = f"127.0.0.1:{ports[0]}"
        try:
            _wait(peer, url, backbone, user, process, folder / "log")
            yield PeerProcess(process.pid, url, time.perf_counter() - start)
        finally:
            _stop(process)


def _start(peer: Peer, values: Mapping[str, str], model: Path, folder: Path) -> subprocess.Popen[bytes]:
    empty = folder / "empty"
    empty.mkdir()
    command = [part.format(**values, folder=empty) for part in peer.command]
    variables = {name: value.format(**values) for name, value in peer.variables}
    modules = os.pathsep.join((str(ROOT), str(ROOT / "model_repository" / "preprocess" / "1")))
    paths = {"PYTHONPATH": modules, "PATH": os.pathsep.join((values["bin"], os.environ["PATH"]))}
    environment = {**os.environ, **paths, MODEL: str(model), **variables}
    with (folder / "log").open("wb") as log:
        return spawn(command, log, environment, ROOT)


def _wait(
    peer: Peer, url: str, backbone: str, user: SyntheticUser, process: subprocess.Popen[bytes], log: Path
) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            post_json(url, peer.request(backbone, user))
            return
        except (HttpLoadError, OSError) as exc:
            output = f"{exc}\n{log.read_text(errors='replace')}"
            if process.poll() is not None:
                raise PeerError(f"{peer.name} exited with {process.returncode}: {output}") from exc
            if time.monotonic() > deadline:
                raise PeerError(f"{peer.name} does not answer after {READY_S:g} s: {output}") from exc
        time.sleep(POLL_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the process and its remaining descendants, even those that left its process group."""
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    end(process, STOP_S)
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(family, STOP_S)
