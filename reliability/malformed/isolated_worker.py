"""The preprocessing in a process of its own: what each input comes to, how long it takes and how much memory."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

from genderprep import InvalidInput, prepare_image, prepare_text
from genderprep.tensors import IMAGE_SIZE, MAX_TOKENS

from .cases.sample_per_kind import valid

PREPARE: Final[dict[str, Callable[[bytes], Any]]] = {"avatar": prepare_image, "nickname": prepare_text}
SHAPES: Final = {"avatar": ((IMAGE_SIZE, IMAGE_SIZE, 3), "uint8"), "nickname": ((MAX_TOKENS,), "int32")}
# Far over what is allowed: a slow machine is no finding, and a hang still ends.
PATIENCE_S: Final = 60.0


@dataclass(frozen=True)
class Outcome:
    """What became of an input. `memory_mb` is the most above what the process had before its first input."""

    result: str
    message: str
    seconds: float
    cpu_seconds: float = 0.0
    memory_mb: float = 0.0


class Worker:
    """Prepares inputs one after the other; started anew after one that ended it or took too long."""

    def __init__(self) -> None:
        self._start()

    def prepare(self, modality: str, content: bytes) -> Outcome:
        """`avatar` or `nickname`. The result is answered, refused, another error's name, died or hangs."""
        start = perf_counter()
        try:
            self._pipe.send((modality, content))
            if self._pipe.poll(PATIENCE_S):
                outcome: Outcome = self._pipe.recv()
                return outcome
            return self._lost("hangs", start)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return self._lost("died", start)

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def _lost(self, result: str, start: float) -> Outcome:
        self.close()
        self._start()
        return Outcome(result, "", perf_counter() - start)


@contextmanager
def worker() -> Iterator[Worker]:
    running = Worker()
    try:
        yield running
    finally:
        running.close()


def _work(pipe: Connection) -> None:
    # As after some serving: Pillow imports its formats with the first of them.
    for avatar in valid().values():
        prepare_image(avatar)
    prepare_text(b"a")
    baseline = _memory_mb("VmRSS")
    while True:
        modality, content = pipe.recv()
        # Our own copy is no part of what the preparation needs.
        baseline_now = baseline + len(content) / 1e6
        Path("/proc/self/clear_refs").write_text("5")
        wall, cpu = perf_counter(), process_time()
        result, message = _outcome(modality, content)
        wall, cpu = perf_counter() - wall, process_time() - cpu
        pipe.send(Outcome(result, message, wall, cpu, max(0.0, _memory_mb("VmHWM") - baseline_now)))


def _outcome(modality: str, content: bytes) -> tuple[str, str]:
    try:
        array, present = PREPARE[modality](content)
    except InvalidInput as exc:
        return "refused", str(exc)
    except BaseException as exc:
        return type(exc).__name__, str(exc)
    if (array.shape, array.dtype.name) != SHAPES[modality] or not isinstance(present, bool):
        return "wrong result", f"{array.shape} {array.dtype}"
    return "answered", ""


def _memory_mb(field: str) -> float:
    """`VmRSS`, what is resident now, or `VmHWM`, the most since it was last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field))
