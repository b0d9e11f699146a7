"""Faults on purpose, one after the other, on one of two supervised replicas that serve a steady load.

    python -m reliability.faults [--only "server killed" "slow instance"]

Writes `results/drill.{json,md}`. A fault that needs mounts of its own or libfaketime is left out where they cannot be
had, and the table says so. Nobody else on the machine is harmed, but for the cores and the memory that this takes.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from genderclient import GenderClientError, User
from server.errors import LaunchError
from server.launch.process import ROOT

from .faults import FAULTS, Fault
from .load import Answers, Probe, answers, crowd, differ, steady_load
from .replica import Replica, ReplicaError, replica
from .report import Found, found, report
from .sandboxes import Impossible

# Longer than a probe waits for an answer.
CALM_S: Final = 4.0
# A model that cannot be loaded for as long as a fault lasts may cost some restarts, each after a longer pause.
BACK_S: Final = 120.0


@dataclass(frozen=True)
class Load:
    """What the replicas serve meanwhile: requests a second of each model, and the answers to expect."""

    users: Sequence[User]
    expected: Answers
    per_s: float
    seed: int
    before_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[fault.name for fault in FAULTS], metavar="FAULT")
    parser.add_argument("--per-s", type=float, default=15.0, help="requests a second of each model")
    parser.add_argument("--before-s", type=float, default=3.0, help="of load before each fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    args = parser.parse_args()
    # By itself SIGTERM would leave the replicas behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    about = {"seed": args.seed, "per_s": args.per_s, "load_average_before": round(os.getloadavg()[0], 1)}
    faults = [fault for fault in FAULTS if not args.only or fault.name in args.only]
    try:
        drills = run(faults, args.per_s, args.seed, args.before_s)
    except (ReplicaError, LaunchError, GenderClientError) as exc:
        sys.exit(f"drill: {exc}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(report(drills, args.results, **about))


def run(faults: Sequence[Fault], per_s: float, seed: int, before_s: float) -> list[Found]:
    """Try one fault after the other, each on a replica of its own beside one that is never harmed.

    Raises:
        ReplicaError: a replica was not ready.
    """
    users, drills = crowd(), []
    with tempfile.TemporaryDirectory() as name, replica(Path(name) / "calm") as calm:
        calm.wait(calm.is_ready, "ready")
        load = Load(users, answers(f"grpc://{calm.grpc_url}", users), per_s, seed, before_s)
        for number, fault in enumerate(faults):
            try:
                with replica(Path(name) / str(number), place=fault.place) as harmed:
                    drills.append(drill(fault, harmed, calm, load))
            except Impossible as exc:
                drills.append(Found(fault=fault.name, goal_s=fault.goal_s, not_run=str(exc)))
            print(f"{fault.name}: {drills[-1].not_run or ('met' if drills[-1].met else 'not met')}", flush=True)
    return drills


def drill(fault: Fault, harmed: Replica, calm: Replica, load: Load) -> Found:
    """One fault, from before it until the replica has answered for a while again."""
    harmed.wait(harmed.is_ready, "ready")
    urls = [f"grpc://{each.grpc_url}" for each in (calm, harmed)]
    before = answers(urls[1], load.users)
    if any(differ(before[key], load.expected[key]) for key in before):
        raise ReplicaError("the replicas answer differently before any fault")
    steady = steady_load(urls, load.users, load.expected, load.per_s, load.seed)
    with Probe(harmed.http_url) as probe, steady as tally:
        time.sleep(load.before_s)
        harmed_s = time.monotonic()
        with fault.harm(harmed):
            time.sleep(fault.lasts_s)
        since_s = time.monotonic() if fault.lasts_s else harmed_s
        is_back = _comes_back(harmed, probe, since_s)
    recovery_s = max(0.0, probe.last_failure_s - since_s) if is_back else BACK_S
    return found(fault, tally, recovery_s, harmed.said()[1:])


def _comes_back(harmed: Replica, probe: Probe, since_s: float) -> bool:
    try:
        harmed.wait(lambda: probe.calm_s(since_s) >= CALM_S and harmed.is_ready(), "back", BACK_S)
    except ReplicaError:
        return False
    return True


if __name__ == "__main__":
    main()
