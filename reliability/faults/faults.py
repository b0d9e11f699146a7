"""The faults. Each is a generator that injects the fault, yields, and removes the fault."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from perf.load.served import REPOSITORY
from server.catalog import Catalog
from server.errors import ControlError

from .replica import Replica, ReplicaError
from .sandboxes import DISK_MB, SHARED_MEMORY_MB, Sandbox, no_sandbox, private_clock, private_disks

STUB_GOAL_S: Final = 5.0
SERVER_GOAL_S: Final = 15.0
BACKBONE: Final = "mobilenet"
CLOCK_JUMP_S: Final = 3600
PULSE_S: Final = 0.2
MEGABYTE: Final = 2**20

Inject = Callable[[Replica], Iterator[None]]


@dataclass(frozen=True)
class Fault:
    """A fault that lasts `duration_s`. Recovery, counted from its end, may take `goal_s`."""

    name: str
    inject: Inject
    goal_s: float
    sandbox: Callable[[Path], Sandbox] = no_sandbox
    duration_s: float = 0.0


def stub_killed(replica: Replica, model: str) -> Iterator[None]:
    """Kill one of a model's stubs."""
    replica.kill_stub(model)
    yield


def server_signaled(replica: Replica, number: signal.Signals) -> Iterator[None]:
    """Send a signal to tritonserver."""
    os.kill(replica.server_pid(), number)
    yield


def replica_restarted(replica: Replica) -> Iterator[None]:
    """Stop the supervisor and start it again, as a release does."""
    replica.stop()
    replica.start()
    yield


def model_replaced(replica: Replica) -> Iterator[None]:
    """Rewrite the ONNX file in use, and load it while the old network answers."""
    file = _onnx_file(replica)
    file.write_bytes(file.read_bytes())
    replica.control.load(BACKBONE)
    yield


def model_corrupted(replica: Replica) -> Iterator[None]:
    """Overwrite the ONNX file in use with garbage, which Triton must refuse to load."""
    file = _onnx_file(replica)
    content = file.read_bytes()
    file.write_bytes(b"not a network" * 1000)
    with suppress(ControlError):
        replica.control.load(BACKBONE)
        raise ReplicaError("expected Triton to refuse a corrupt network, but it loaded it")
    yield
    file.write_bytes(content)
    replica.control.load(BACKBONE)


def model_broken(replica: Replica) -> Iterator[None]:
    """Truncate the ONNX file in use and kill a stub, so that the model cannot be loaded until the file is whole."""
    file = _onnx_file(replica)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    replica.kill_stub(BACKBONE)
    yield
    file.write_bytes(content)


def disk_full(replica: Replica) -> Iterator[None]:
    """Fill the disk of logs and temporary files, and kill a stub."""
    with filled(_as_replica_sees(replica, replica.folder / "disk"), DISK_MB):
        replica.kill_stub(BACKBONE)
        yield


def shared_memory_full(replica: Replica) -> Iterator[None]:
    """Fill /dev/shm, through which Triton passes tensors to stubs, and kill a stub."""
    with filled(_as_replica_sees(replica, Path("/dev/shm")), SHARED_MEMORY_MB):
        replica.kill_stub(BACKBONE)
        yield


def instance_slow(replica: Replica) -> Iterator[None]:
    """Pause one stub of two for half of the time."""
    stub, stop = replica.stubs(BACKBONE)[0], threading.Event()

    def pulse() -> None:
        with suppress(ProcessLookupError):
            while not stop.is_set():
                os.kill(stub, signal.SIGSTOP)
                stop.wait(PULSE_S)
                os.kill(stub, signal.SIGCONT)
                stop.wait(PULSE_S)

    thread = threading.Thread(target=pulse)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def clock_jumped(replica: Replica) -> Iterator[None]:
    """Set the wall clock an hour ahead, and back on exit."""
    clock = replica.folder / "clock"
    clock.write_text(f"+{CLOCK_JUMP_S}")
    replica.wait(lambda: _last_inference_s(replica) > time.time() + CLOCK_JUMP_S / 2, "an hour ahead", 10)
    yield
    clock.write_text("+0")


def _last_inference_s(replica: Replica) -> float:
    """Return the Unix time of the last inference by the server's clock."""
    return max(float(each.last_inference) for each in replica.control.statistics()) / 1000


def _onnx_file(replica: Replica) -> Path:
    (file,) = (replica.repository / BACKBONE).glob("*/model.onnx")
    return file


def _as_replica_sees(replica: Replica, folder: Path) -> Path:
    """Return the path of a folder in the mount namespace of the replica."""
    assert replica.process
    return Path(f"/proc/{replica.process.pid}/root", folder.relative_to("/"))


@contextmanager
def filled(folder: Path, megabytes: int) -> Iterator[None]:
    """Fill the file system of `folder`.

    Raises:
        ReplicaError: The file system is larger than `megabytes`, so it is not the sandbox's, or it cannot be filled.
    """
    disk = os.statvfs(folder)
    if disk.f_blocks * disk.f_frsize > megabytes * MEGABYTE:
        raise ReplicaError(f"expected a private file system of {megabytes} MB at {folder}, got a larger one")
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


def all_faults() -> list[Fault]:
    """Return every fault in the order in which they are injected."""
    catalog = Catalog(REPOSITORY)
    models = sorted({model for backbone in catalog.backbones() for model in catalog.ensemble(backbone).steps})
    return [
        *(Fault(f"a stub of {model} killed", partial(stub_killed, model=model), STUB_GOAL_S) for model in models),
        Fault("server killed", partial(server_signaled, number=signal.SIGKILL), SERVER_GOAL_S),
        Fault("server hung", partial(server_signaled, number=signal.SIGSTOP), SERVER_GOAL_S),
        Fault("server terminated", partial(server_signaled, number=signal.SIGTERM), SERVER_GOAL_S),
        Fault("replica restarted", replica_restarted, SERVER_GOAL_S),
        Fault("model file replaced", model_replaced, STUB_GOAL_S),
        Fault("model file corrupted", model_corrupted, STUB_GOAL_S, duration_s=3),
        Fault("model broken", model_broken, SERVER_GOAL_S, duration_s=8),
        Fault("slow instance", instance_slow, STUB_GOAL_S, duration_s=6),
        Fault("disk full", disk_full, STUB_GOAL_S, private_disks, duration_s=8),
        Fault("shared memory full", shared_memory_full, SERVER_GOAL_S, private_disks, duration_s=8),
        Fault("clock jumped", clock_jumped, STUB_GOAL_S, private_clock, duration_s=5),
    ]
