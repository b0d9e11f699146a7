"""What the drills found, as JSON and as a table."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.report import write_report

from .faults import Fault
from .load import Tally


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one fault did: counts of requests, `lost` by the error's name, times, and what the supervisor said.

    `not_run` says why a fault could not be tried; nothing else counts then.
    """

    fault: str
    goal_s: float
    not_run: str = ""
    sent: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    doubled: int = 0
    wrong: int = 0
    retried: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    slowest_ms: float = 0.0
    recovery_s: float = 0.0
    said: list[str] = field(default_factory=list)
    met: bool = False


def found(fault: Fault, tally: Tally, recovery_s: float, said: list[str]) -> Found:
    """The figures of one drill; met where nothing was lost, doubled or wrong, and the replica was back in time."""
    p50, p99, slowest = np.percentile(tally.seconds or [0.0], [50, 99, 100]) * 1000
    lost = dict(+tally.lost)
    return Found(
        fault=fault.name,
        goal_s=fault.goal_s,
        sent=tally.sent,
        lost=lost,
        doubled=tally.doubled,
        wrong=tally.wrong,
        retried=tally.retried,
        p50_ms=round(p50, 1),
        p99_ms=round(p99, 1),
        slowest_ms=round(slowest, 1),
        recovery_s=round(recovery_s, 2),
        said=said,
        met=not lost and not tally.doubled and not tally.wrong and recovery_s <= fault.goal_s,
    )


def report(drills: Sequence[Found], results: Path, **about: Any) -> str:
    """Write `drill.json` and `drill.md` to the folder `results`; returns the document."""
    file = results / "drill.json"
    write_report(file, **about, drills=[vars(each) for each in drills])
    text = markdown(json.loads(file.read_text(encoding="utf-8")))
    (results / "drill.md").write_text(text, encoding="utf-8")
    return text


def markdown(content: dict[str, Any]) -> str:
    """The document, from what `drill.json` holds."""
    return f"""# Faults survived

Written by `python -m reliability.faults` from `drill.json` beside it: {content["date"]}, {content["machine"]}, seed
{content["seed"]}, {content["per_s"]} requests a second of each model through the SDK (two replicas, its own retries),
load average before {content["load_average_before"]}. Replicas, load and supervisors share the cores.

Lost: raised an error after the SDK's retries. Wrong: not the answer that the same user got before the fault. Recovery:
from the fault, or the end of one that lasts, to the last inference that the harmed replica failed. Met: nothing lost,
doubled or wrong, and back within the goal.

| fault | sent | lost | doubled | wrong | retried | p50 ms | p99 ms | slowest ms | recovery s | goal s | met |
|---|---|---|---|---|---|---|---|---|---|---|---|
{_lines(_row(each) for each in content["drills"])}

What the supervisor said:

{_said(content["drills"])}
"""


def _row(each: dict[str, Any]) -> list[str]:
    if each["not_run"]:
        return [each["fault"], f"not run: {each['not_run']}", *[""] * 8, f"{each['goal_s']:g}", ""]
    lost = ", ".join(f"{count} {error}" for error, count in each["lost"].items()) or "0"
    counts = [str(each[name]) for name in ("doubled", "wrong", "retried")]
    times = [f"{each[name]:.0f}" for name in ("p50_ms", "p99_ms", "slowest_ms")]
    met = "yes" if each["met"] else "**no**"
    recovery, goal = f"{each['recovery_s']:.1f}", f"{each['goal_s']:g}"
    return [each["fault"], str(each["sent"]), lost, *counts, *times, recovery, goal, met]


def _lines(rows: Iterator[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _said(drills: Sequence[dict[str, Any]]) -> str:
    return "\n".join(f"- {each['fault']}: {'; '.join(each['said']) or 'nothing'}" for each in drills if each["sent"])
