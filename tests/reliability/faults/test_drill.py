"""Two faults for real and for a moment, and what the report makes of what was found."""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from reliability.faults import __main__ as drill
from reliability.faults.faults import FAULTS, MEGABYTE, Fault, filled, stub_killed
from reliability.faults.load import Tally, differ
from reliability.faults.replica import ReplicaError
from reliability.faults.report import Found, found, markdown, report
from reliability.faults.sandboxes import DISK_MB, SHARED_MEMORY_MB, Impossible, own_disks

FAULT = Fault("a fault", stub_killed("mobilenet"), goal_s=5.0)
WELL = Tally(sent=3, seconds=[0.01, 0.02, 0.03])


def test_two_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill, "CALM_S", 2.5)
    names = ("a stub of mobilenet killed", "server killed")
    faults = [fault for fault in FAULTS if fault.name in names]
    stub, server = drill.run(faults, per_s=8, seed=1, before_s=1)
    assert (stub.fault, server.fault) == names
    for each in (stub, server):
        assert each.sent > 20
        assert (each.wrong, each.doubled) == (0, 0)
        assert "never came back" not in each.lost
        assert sum(each.lost.values()) < each.sent / 4
        assert each.p50_ms > 0
        assert each.recovery_s < 60
    # Of a model's two stubs the living one may have answered every probe.
    assert server.recovery_s > 0
    assert stub.said == ["mobilenet: cannot answer; reloading"]
    assert server.said == ["tritonserver exited with code -9; starting another one"]
    text = report([stub, server], tmp_path, seed=1, per_s=8, load_average_before=0.5)
    written = json.loads((tmp_path / "drill.json").read_text())
    assert {"date", "machine", "seed", "drills"} <= written.keys()
    assert written["drills"][1]["sent"] == server.sent
    assert f"| server killed | {server.sent} |" in text
    assert written["machine"] in text.replace("\n", " ")


@pytest.mark.parametrize(
    ("tally", "recovery_s", "met"),
    [
        (WELL, 5.0, True),
        (WELL, 5.1, False),
        (Tally(sent=3, lost=Counter({"Unavailable": 1})), 0.0, False),
        (Tally(sent=3, lost=Counter({"Unavailable": 0})), 0.0, True),
        (Tally(sent=3, wrong=1), 0.0, False),
        (Tally(sent=3, doubled=1), 0.0, False),
    ],
)
def test_when_a_goal_is_met(tally: Tally, recovery_s: float, met: bool) -> None:
    assert found(FAULT, tally, recovery_s, []).met is met


def test_the_document() -> None:
    lost = Tally(sent=9, lost=Counter({"ServerError": 2, "Unavailable": 1}), seconds=[0.01] * 6, retried=4)
    drills = [vars(found(FAULT, lost, 7.25, ["said this"])), vars(Found(fault="b", goal_s=15, not_run="no disk"))]
    about = {"date": "today", "machine": "this", "seed": 7, "per_s": 5, "load_average_before": 0.1}
    text = markdown({**about, "drills": drills})
    assert "| a fault | 9 | 2 ServerError, 1 Unavailable | 0 | 0 | 4 | 10 | 10 | 10 | 7.2 | 5 | **no** |" in text
    assert "| b | not run: no disk |" in text
    assert "- a fault: said this" in text
    assert "- b" not in text


def test_another_answer_is_wrong() -> None:
    assert not differ((0.5, 0.5), (0.50005, 0.49995))
    assert differ((0.5, 0.5), (0.51, 0.49))
    assert differ((float("nan"), 0.5), (0.5, 0.5))


def test_only_small_disks_are_filled(tmp_path: Path) -> None:
    with pytest.raises(ReplicaError, match="it may be everybody's"), filled(tmp_path, megabytes=64):
        pass
    assert list(tmp_path.iterdir()) == []


def test_disks_of_its_own_are_small_and_nobody_elses(tmp_path: Path) -> None:
    before = os.statvfs("/dev/shm").f_blocks
    try:
        place = own_disks(tmp_path)
    except Impossible as reason:
        assert "no mounts of its own: " in str(reason)
        return
    command = [*place.prefix, "stat", "--file-system", "--format=%b %S", "/dev/shm", str(tmp_path / "disk")]
    sizes = [
        int(blocks) * int(size)
        for blocks, size in map(str.split, subprocess.run(command, capture_output=True, text=True).stdout.splitlines())
    ]
    assert sizes == [SHARED_MEMORY_MB * MEGABYTE, DISK_MB * MEGABYTE]
    assert os.statvfs("/dev/shm").f_blocks == before
