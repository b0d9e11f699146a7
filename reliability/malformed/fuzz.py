"""Fuzz the preprocessing with atheris, guided by the coverage of `genderprep` and of Pillow's parsers.

A run stops at the first input that raises anything but InvalidAvatar or InvalidNickname, needs more than a gigabyte, or
takes more than ten seconds. The input is kept in `out/fuzz`; add it to `cases/`, and its name to the regression tests.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from server.launch.process import ROOT, end, spawn

from .cases.valid_files import valid_files
from .corpus import nicknames

ARTIFACTS: Final = ROOT / "out" / "fuzz"
MAX_BYTES: Final = {"avatar": 2**16, "nickname": 5000}
# libFuzzer's log: the final statistics, and each increase of coverage with the size of its corpus.
_EXECUTED: Final = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_COVERAGE: Final = re.compile(r"cov: (\d+) .*corp: (\d+)")


@dataclass(frozen=True)
class FuzzRun:
    """The result of fuzzing: `coverage` in edges, inputs `kept` in the corpus, and the end of the log of a crash."""

    modality: str
    executions: int
    coverage: int
    kept: int
    crash: str


def fuzz(modality: str, seconds: int, seed: int, artifacts: Path = ARTIFACTS) -> FuzzRun:
    """Fuzz `avatar` or `nickname` in a child process, since libFuzzer exits the process it runs in."""
    artifacts.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        log, corpus = Path(folder) / "log", Path(folder) / "corpus"
        corpus.mkdir()
        for number, content in enumerate(_initial_corpus(modality)):
            (corpus / str(number)).write_bytes(content)
        flags = {
            "max_total_time": seconds,
            "seed": seed,
            "max_len": MAX_BYTES[modality],
            "timeout": 10,
            "rss_limit_mb": 1024,
            "print_final_stats": 1,
            "artifact_prefix": f"{artifacts}/{modality}-",
        }
        target = [sys.executable, "-m", "reliability.malformed.fuzz_target", modality, str(corpus)]
        # A shell in between, since Linux counts the memory of the parent at the fork as memory of the child.
        command = ["sh", "-c", '"$@"; exit $?', "sh", *target, *(f"-{name}={value}" for name, value in flags.items())]
        with log.open("wb") as written:
            process = spawn(command, written, os.environ, ROOT)
        try:
            code = process.wait()
        finally:
            end(process, grace_s=0)
        text = log.read_text(errors="replace")
    executed, covered = _EXECUTED.findall(text), _COVERAGE.findall(text)
    coverage, kept = map(int, covered[-1]) if covered else (0, 0)
    crash = "" if code == 0 else text[-3000:]
    return FuzzRun(modality, int(executed[-1]) if executed else 0, coverage, kept, crash)


def _initial_corpus(modality: str) -> Iterator[bytes]:
    contents = valid_files().values() if modality == "avatar" else (case.make() for case in nicknames())
    return (content for content in contents if len(content) <= MAX_BYTES[modality])
