"""The preprocessing in a process of its own, which measures the CPU time and memory of each input."""

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

from genderprep import InvalidInput, prepare_image, prepare_text
from genderprep.tensors import IMAGE_SIZE, MAX_TOKENS

from .cases.valid_files import valid_files

PREPARE: Final[dict[str, Callable[[bytes], Any]]] = {"avatar": prepare_image, "nickname": prepare_text}
SHAPES: Final = {"avatar": ((IMAGE_SIZE, IMAGE_SIZE, 3), "uint8"), "nickname": ((MAX_TOKENS,), "int32")}
# Far above every goal, so that a slow machine is not reported as a hang.
TIMEOUT_S: Final = 60.0


@dataclass(frozen=True)
class CaseResult:
    """What an input led to: `answered`, `refused` or another result, with its costs.

    `memory_mb` is the peak above that of an idle worker. A live server has neither CPU time nor memory of one input.
    """

    result: str
    message: str
    seconds: float
    cpu_seconds: float = 0.0
    memory_mb: float = 0.0


class Worker:
    """A process that prepares one input at a time. It is replaced after an input that killed it or timed out."""

    def __init__(self) -> None:
        self._start()

    def prepare(self, modality: str, content: bytes) -> CaseResult:
        """Prepare an `avatar` or `nickname`. Results: answered, refused, the name of an exception, died or hangs."""
        start = perf_counter()
        try:
            self._pipe.send((modality, content))
            if self._pipe.poll(TIMEOUT_S):
                result: CaseResult = self._pipe.recv()
                return result
            return self._replace("hangs", start)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return self._replace("died", start)

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        self._process = context.Process(target=_work, args=(child_pipe,), daemon=True)
        self._process.start()
        child_pipe.close()

    def _replace(self, result: str, start: float) -> CaseResult:
        self.close()
        self._start()
        return CaseResult(result, "", perf_counter() - start)


def _work(pipe: Connection) -> None:
    # Pillow imports a format with its first image; a server that has run for a while has imported all of them.
    for avatar in valid_files().values():
        prepare_image(avatar)
    prepare_text(b"a")
    idle_mb = _memory_mb("VmRSS")
    while True:
        modality, content = pipe.recv()
        # The copy of the input in this process is not part of the preparation.
        baseline_mb = idle_mb + len(content) / 1e6
        Path("/proc/self/clear_refs").write_text("5")
        wall, cpu = perf_counter(), process_time()
        result, message = _prepare(modality, content)
        wall, cpu = perf_counter() - wall, process_time() - cpu
        pipe.send(CaseResult(result, message, wall, cpu, max(0.0, _memory_mb("VmHWM") - baseline_mb)))


def _prepare(modality: str, content: bytes) -> tuple[str, str]:
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
    """Return `VmRSS` (resident now) or `VmHWM` (the peak since `clear_refs`)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field))
