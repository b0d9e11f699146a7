"""Coverage-guided fuzzing of the preprocessing, with atheris; ends at the first input that breaks it.

    python -m reliability.malformed.fuzz                  # a minute on each of avatar and nickname
    python -m reliability.malformed.fuzz --seconds 3600

An input breaks it by any error but InvalidAvatar and InvalidNickname, by more than a gigabyte, or by ten seconds; it is
kept in `out/fuzz`, and what it was then belongs into the corpus beside this file.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from perf.report.command import positive
from server.launch.process import ROOT

from .cases import nicknames
from .cases.sample_per_kind import valid

FOUND: Final = ROOT / "out" / "fuzz"
MODALITIES: Final = ("avatar", "nickname")
_EXECUTED: Final = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
# libFuzzer's words where coverage grew: edges, and how many inputs it keeps.
_COVERAGE: Final = re.compile(r"cov: (\d+) .*corp: (\d+)")


@dataclass(frozen=True)
class Run:
    """What fuzzing one modality came to; `crash` is the end of its log, empty where nothing broke."""

    modality: str
    executions: int
    coverage: int
    kept: int
    crash: str


def fuzz(modality: str, seconds: int, seed: int, found: Path = FOUND) -> Run:
    """Fuzz `avatar` or `nickname` for so long, in a process of its own: libFuzzer ends the one it runs in."""
    found.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        for number, content in enumerate(_seeds(modality)):
            (Path(folder) / str(number)).write_bytes(content)
        flags = {
            "max_total_time": seconds,
            "seed": seed,
            "max_len": 2**16 if modality == "avatar" else 5000,
            "timeout": 10,
            "rss_limit_mb": 1024,
            "print_final_stats": 1,
            "artifact_prefix": f"{found}/{modality}-",
        }
        # By a shell, for Linux counts as a child's memory what its parent had when it was started.
        command = [
            "sh",
            "-c",
            '"$@"; exit $?',
            "sh",
            sys.executable,
            "-m",
            "reliability.malformed.fuzz_target",
            modality,
            folder,
        ]
        command += [f"-{name}={value}" for name, value in flags.items()]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")
    executed, covered = _EXECUTED.findall(done.stderr), _COVERAGE.findall(done.stderr)
    coverage, kept = map(int, covered[-1]) if covered else (0, 0)
    crash = "" if done.returncode == 0 else done.stderr[-3000:]
    return Run(modality, int(executed[-1]) if executed else 0, coverage, kept, crash)


def _seeds(modality: str) -> Iterator[bytes]:
    if modality == "avatar":
        yield from valid().values()
    else:
        yield from (content for case in nicknames() if len(content := case.make()) <= 5000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=positive, default=60, help="for each of avatar and nickname")
    parser.add_argument("--seed", type=positive, default=1)
    args = parser.parse_args()
    runs = [fuzz(modality, args.seconds, args.seed) for modality in MODALITIES]
    for run in runs:
        print(f"{run.modality}: {run.executions} executions, {run.coverage} edges, {run.kept} inputs kept")
    if broken := [run for run in runs if run.crash]:
        sys.exit("\n".join(f"{run.modality} broke, see {FOUND}:\n{run.crash}" for run in broken))


if __name__ == "__main__":
    main()
