"""Inject faults one after the other, and record what clients noticed."""

import tempfile
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from genderclient import User
from perf.load.served import gender_ensembles

from .faults import Fault
from .load import RecoveryProbe, Reference, Tally, constant_load, differ, load_users, reference_values
from .replica import Replica, ReplicaError, running_replica
from .sandboxes import SandboxUnavailable

# A replica has recovered when its probe has succeeded for this long: longer than a probe may take, and than a Triton
# that was told to end may go on.
HEALTHY_S: Final = 7.0
# A model that fails to load during a fault costs several restarts, after increasing pauses.
RECOVERY_LIMIT_S: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class DrillResult:
    """The result of one fault: the counts of `Tally`, latencies, and the supervisor's actions.

    `not_run` is the reason why a fault could not be injected; the other figures are then meaningless.
    """

    fault: str
    goal_s: float
    not_run: str = ""
    sent: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    wrong: int = 0
    retried: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    slowest_ms: float = 0.0
    recovery_s: float = 0.0
    actions: list[str] = field(default_factory=list)
    met: bool = False


@dataclass(frozen=True)
class DrillLoad:
    """The load during a drill: `per_s` requests a second of each model, from `before_s` before the fault."""

    users: Sequence[User]
    expected: Reference
    per_s: float
    seed: int
    before_s: float


def run(faults: Sequence[Fault], per_s: float, seed: int, before_s: float) -> list[DrillResult]:
    """Inject each fault into a new replica, beside a control replica that is never harmed, and print the progress.

    Raises:
        ReplicaError: A replica did not become ready, or answers differently from the control.
    """
    users, models, results = load_users(), list(gender_ensembles().values()), list[DrillResult]()
    with tempfile.TemporaryDirectory() as name, running_replica(Path(name) / "control") as control:
        control.wait(control.is_ready, "ready")
        expected = reference_values(f"grpc://{control.grpc_url}", models, users)
        load = DrillLoad(users, expected, per_s, seed, before_s)
        for number, fault in enumerate(faults):
            try:
                with running_replica(Path(name) / str(number), sandbox=fault.sandbox) as target:
                    results.append(_drill(fault, target, control, load))
            except SandboxUnavailable as exc:
                results.append(DrillResult(fault=fault.name, goal_s=fault.goal_s, not_run=str(exc)))
            print(f"{fault.name}: {results[-1].not_run or ('met' if results[-1].met else 'not met')}", flush=True)
    return results


def _drill(fault: Fault, target: Replica, control: Replica, load: DrillLoad) -> DrillResult:
    target.wait(target.is_ready, "ready")
    urls = [f"grpc://{replica.grpc_url}" for replica in (control, target)]
    models = sorted({model for model, _ in load.expected})
    values = reference_values(urls[1], models, load.users)
    if any(differ(values[key], load.expected[key]) for key in values):
        raise ReplicaError("the target answers differently from the control before any fault")
    traffic = constant_load(urls, load.users, load.expected, load.per_s, load.seed)
    with RecoveryProbe(target.http_url, models) as probe, traffic as tally:
        time.sleep(load.before_s)
        since_s = time.monotonic()
        with contextmanager(fault.inject)(target):
            time.sleep(fault.duration_s)
        if fault.duration_s:
            since_s = time.monotonic()
        recovered = _recovers(target, probe, since_s)
    recovery_s = max(0.0, probe.last_failure_s - since_s) if recovered else RECOVERY_LIMIT_S
    # The first action is that the replica became ready.
    return summarize(fault, tally, recovery_s, target.actions()[1:])


def _recovers(target: Replica, probe: RecoveryProbe, since_s: float) -> bool:
    try:
        target.wait(lambda: probe.healthy_s(since_s) >= HEALTHY_S and target.is_ready(), "back", RECOVERY_LIMIT_S)
    except ReplicaError:
        return False
    return True


def summarize(fault: Fault, tally: Tally, recovery_s: float, actions: list[str]) -> DrillResult:
    """Compute the figures of one drill. The goal: nothing lost or wrong, and recovery in time."""
    p50, p99, slowest = np.percentile(tally.seconds or [0.0], [50, 99, 100]) * 1000
    lost = dict(+tally.lost)
    return DrillResult(
        fault=fault.name,
        goal_s=fault.goal_s,
        sent=tally.sent,
        lost=lost,
        wrong=tally.wrong,
        retried=tally.retried,
        p50_ms=round(p50, 1),
        p99_ms=round(p99, 1),
        slowest_ms=round(slowest, 1),
        recovery_s=round(recovery_s, 2),
        actions=actions,
        met=not lost and not tally.wrong and recovery_s <= fault.goal_s,
    )
