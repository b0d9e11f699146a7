"""A day of the product: its users, its spikes, and a short day with the real locust on a real server."""

import subprocess
import sys
from pathlib import Path

import pytest

from perf.load.daily_profile import Visitors, level
from tests.support.tritonserver import ROOT


def test_most_visitors_are_new_and_the_others_recent() -> None:
    visitors = Visitors(seed=1)
    seen = [visitors.next() for _ in range(2000)]
    repeated = [number for number, user in enumerate(seen) if user in seen[:number]]
    assert 0.07 < len(repeated) / len(seen) < 0.13
    assert all(seen[number] in seen[max(0, number - 150) : number] for number in repeated)


def test_a_day_has_two_spikes() -> None:
    day = [level(minute / 1440) for minute in range(1440)]
    spikes = [minute for minute in range(1, 1439) if day[minute] > max(day[minute - 1], day[minute + 1])]
    assert [minute / 1440 for minute in spikes] == pytest.approx([0.3, 0.75], abs=0.001)
    assert max(day) == pytest.approx(1, abs=0.001)
    assert min(day) < 0.11


def test_locust_report_covers_both_protocols(tmp_path: Path) -> None:
    report = tmp_path / "reports" / "load.html"
    command = [sys.executable, "-m", "perf.load", "--users", "4", "--seconds", "5", "--report", str(report)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (done.stdout + done.stderr).splitlines()
    assert {line.split()[0] for line in lines if " predict " in line and " 0(0.00%) " in line} == {"grpc", "http"}
    assert "<html" in report.read_text()
