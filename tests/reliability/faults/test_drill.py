"""Two real faults, the figures of a drill, and the sandboxes."""

import os
import subprocess
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from perf.report.experiment import Measurement
from reliability.faults import drill
from reliability.faults.experiment import Faults
from reliability.faults.faults import MEGABYTE, Fault, all_faults, filled, replica_restarted
from reliability.faults.load import Tally
from reliability.faults.replica import ReplicaError
from reliability.faults.sandboxes import DISK_MB, SHARED_MEMORY_MB, SandboxUnavailable, private_disks

FAULT = Fault("a fault", replica_restarted, goal_s=5.0)
IN_ORDER = Tally(sent=3, seconds=[0.01, 0.02, 0.03])


def test_killed_stub_and_killed_server_lose_few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill, "HEALTHY_S", 2.5)
    names = ("a stub of mobilenet killed", "server killed")
    faults = [fault for fault in all_faults() if fault.name in names]
    stub, server = drill.run(faults, per_s=8, seed=1, before_s=1)
    assert (stub.fault, server.fault) == names
    for result in (stub, server):
        assert result.sent > 20
        assert result.wrong == 0
        assert sum(result.lost.values()) < result.sent / 4
        assert result.p50_ms > 0
        assert result.recovery_s < 60
    # The other stub may have answered every probe.
    assert server.recovery_s > 0
    assert len(stub.actions) == len(server.actions) == 1
    assert stub.actions[0].startswith("mobilenet: ")
    assert server.actions[0].startswith("tritonserver ")


@pytest.mark.parametrize(
    ("tally", "recovery_s", "met"),
    [
        (IN_ORDER, 5.0, True),
        (IN_ORDER, 5.1, False),
        (Tally(sent=3, lost=Counter({"Unavailable": 1})), 0.0, False),
        (Tally(sent=3, lost=Counter({"Unavailable": 0})), 0.0, True),
        (Tally(sent=3, wrong=1), 0.0, False),
    ],
)
def test_goal_requires_every_answer_and_recovery_in_time(tally: Tally, recovery_s: float, met: bool) -> None:
    assert drill.summarize(FAULT, tally, recovery_s, []).met is met


def test_skipped_fault_misses_its_goal() -> None:
    lost = Tally(sent=9, lost=Counter({"ServerError": 2, "Unavailable": 1}), seconds=[0.01] * 6, retried=4)
    drills = [vars(drill.summarize(FAULT, lost, 7.25, ["restarted"]))]
    drills.append(vars(drill.DrillResult(fault="b", goal_s=15, not_run="no disk")))
    measurement = Measurement(pd.DataFrame(), {"per_s": 5.0, "drills": drills})
    assert [(goal.met, goal.figure) for goal in Faults().goals(measurement)] == [
        (False, "9 requests, 3 lost, 0 wrong; 7.2 s"),
        (False, "not run: no disk"),
    ]
    assert "2 ServerError, 1 Unavailable" in Faults().table(measurement)


def test_shared_disk_is_not_filled(tmp_path: Path) -> None:
    with pytest.raises(ReplicaError, match="expected a private file system of 64 MB"), filled(tmp_path, megabytes=64):
        pass
    assert list(tmp_path.iterdir()) == []


def test_private_disks_are_small_and_private(tmp_path: Path) -> None:
    before = os.statvfs("/dev/shm").f_blocks
    try:
        sandbox = private_disks(tmp_path)
    except SandboxUnavailable as exc:
        pytest.skip(str(exc))
    command = [*sandbox.prefix, "stat", "--file-system", "--format=%b %S", "/dev/shm", str(tmp_path / "disk")]
    sizes = [
        int(blocks) * int(size)
        for blocks, size in map(str.split, subprocess.run(command, capture_output=True, text=True).stdout.splitlines())
    ]
    assert sizes == [SHARED_MEMORY_MB * MEGABYTE, DISK_MB * MEGABYTE]
    assert os.statvfs("/dev/shm").f_blocks == before
