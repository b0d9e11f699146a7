"""What is done to a replica. Each fault is entered, may last, and is taken back when left."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.errors import ControlError

from .replica import Replica, ReplicaError
from .sandboxes import DISK_MB, SHARED_MEMORY_MB, Place, own_clock, own_disks, plain

STUB_GOAL_S: Final = 5.0
SERVER_GOAL_S: Final = 15.0
BACKBONES: Final = ("mobilenet", "densenet")
JUMP_S: Final = 3600
MEGABYTE: Final = 2**20

Harm = Callable[[Replica], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """`lasts_s`: how long it stays; recovery, which is to take at most `goal_s`, counts from its end."""

    name: str
    harm: Harm
    goal_s: float
    place: Callable[[Path], Place] = plain
    lasts_s: float = 0.0


def stub_killed(model: str) -> Harm:
    @contextmanager
    def harm(replica: Replica) -> Iterator[None]:
        replica.kill_stub(model)
        yield

    return harm


def server_signalled(number: signal.Signals) -> Harm:
    @contextmanager
    def harm(replica: Replica) -> Iterator[None]:
        os.kill(replica.server_pid(), number)
        yield

    return harm


@contextmanager
def replica_restarted(replica: Replica) -> Iterator[None]:
    """As a new release or a new machine does it: the supervisor is told to end, and started anew."""
    replica.stop()
    replica.start()
    yield


@contextmanager
def model_replaced(replica: Replica) -> Iterator[None]:
    """The same network written again into the file in use, and loaded while the old one answers."""
    file = _network(replica)
    file.write_bytes(file.read_bytes())
    replica.control.load(BACKBONES[0])
    yield


@contextmanager
def model_corrupted(replica: Replica) -> Iterator[None]:
    """Garbage in the file in use, which Triton is told to load, and refuses."""
    file = _network(replica)
    good = file.read_bytes()
    file.write_bytes(b"this is no network" * 1000)
    try:
        replica.control.load(BACKBONES[0])
    except ControlError:
        """As it should be."""
    else:
        raise ReplicaError("Triton loaded a corrupt network")
    yield
    file.write_bytes(good)
    replica.control.load(BACKBONES[0])


@contextmanager
def disk_full(replica: Replica) -> Iterator[None]:
    """No room for logs and temporary files; and a stub dies."""
    with filled(_inside(replica, replica.folder / "disk"), DISK_MB):
        replica.kill_stub(BACKBONES[0])
        yield


@contextmanager
def shared_memory_full(replica: Replica) -> Iterator[None]:
    """No room to pass tensors to a new stub; and an old one dies."""
    with filled(_inside(replica, Path("/dev/shm")), SHARED_MEMORY_MB):
        replica.kill_stub(BACKBONES[0])
        yield


@contextmanager
def instance_slow(replica: Replica) -> Iterator[None]:
    """One stub of two is stopped half of the time, for a fifth of a second each."""
    stub, stop = replica.stubs(BACKBONES[0])[0], threading.Event()

    def pulse() -> None:
        with suppress(ProcessLookupError):
            while not stop.is_set():
                os.kill(stub, signal.SIGSTOP)
                stop.wait(0.2)
                os.kill(stub, signal.SIGCONT)
                stop.wait(0.2)

    thread = threading.Thread(target=pulse)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def clock_jumped(replica: Replica) -> Iterator[None]:
    """The time of day is an hour ahead at once, and then as suddenly right again."""
    clock = replica.folder / "clock"
    clock.write_text(f"+{JUMP_S}")
    replica.wait(lambda: _last_inference_s(replica) > time.time() + JUMP_S / 2, "at another time", 10)
    yield
    clock.write_text("+0")


def _last_inference_s(replica: Replica) -> float:
    """Unix time of the last inference by the server's own clock."""
    return max(float(each.last_inference) for each in replica.control.statistics()) / 1000


def _network(replica: Replica) -> Path:
    (file,) = (replica.repository / BACKBONES[0]).glob("*/model.onnx")
    return file


def _inside(replica: Replica, folder: Path) -> Path:
    """A folder as the replica sees it."""
    assert replica.process
    return Path(f"/proc/{replica.process.pid}/root", folder.relative_to("/"))


@contextmanager
def filled(folder: Path, megabytes: int) -> Iterator[None]:
    """No byte is free in the folder's disk, which has to be as small as it was made."""
    disk = os.statvfs(folder)
    if disk.f_blocks * disk.f_frsize > megabytes * MEGABYTE:
        raise ReplicaError(f"{folder} is larger than the {megabytes} MB of the replica's own: it may be everybody's")
    file = folder / "filled"
    try:
        with suppress(OSError), file.open("wb", buffering=0) as out:
            while out.write(bytes(64 * 1024)):
                pass
        if os.statvfs(folder).f_bavail:
            raise ReplicaError(f"{folder} could not be filled")
        yield
    finally:
        file.unlink(missing_ok=True)


FAULTS: Final = (
    *(Fault(f"a stub of {model} killed", stub_killed(model), STUB_GOAL_S) for model in ("preprocess", *BACKBONES)),
    Fault("server killed", server_signalled(signal.SIGKILL), SERVER_GOAL_S),
    Fault("server hung", server_signalled(signal.SIGSTOP), SERVER_GOAL_S),
    Fault("server told to end", server_signalled(signal.SIGTERM), SERVER_GOAL_S),
    Fault("replica restarted", replica_restarted, SERVER_GOAL_S),
    Fault("model file replaced", model_replaced, STUB_GOAL_S),
    Fault("model file corrupted", model_corrupted, STUB_GOAL_S, lasts_s=3),
    Fault("slow instance", instance_slow, STUB_GOAL_S, lasts_s=6),
    Fault("disk full", disk_full, STUB_GOAL_S, own_disks, lasts_s=8),
    Fault("shared memory full", shared_memory_full, SERVER_GOAL_S, own_disks, lasts_s=8),
    Fault("clock jumped", clock_jumped, STUB_GOAL_S, own_clock, lasts_s=5),
)
