"""The drill as an experiment."""

from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import pandas as pd

from perf.report.experiment import Experiment, Goal, Measurement
from perf.report.markdown import table

from .drill import run
from .faults import all_faults

# Requests a second of each model, and the seconds of load before each fault.
PER_S: Final = 15.0
BEFORE_S: Final = 3.0


class Faults(Experiment):
    """Inject faults, one after the other, into one of two supervised replicas under constant load. Takes ten minutes.

    Faults that need a mount namespace or libfaketime are skipped where these are not available.
    """

    name = "faults"
    title = "Faults"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", nargs="+", choices=[fault.name for fault in all_faults()], metavar="FAULT")

    def measure(self, args: Any) -> Measurement:
        faults = [fault for fault in all_faults() if not args.only or fault.name in args.only]
        results = run(faults, PER_S, args.seed, BEFORE_S)
        return Measurement(pd.DataFrame(), {"per_s": PER_S, "drills": [asdict(result) for result in results]})

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        for drill in measurement.metadata["drills"]:
            text = f"{drill['fault']}: nothing lost or wrong, recovery within {drill['goal_s']:g} s"
            figure = "{sent:,} requests, {total_lost} lost, {wrong} wrong; {recovery_s:.1f} s"
            figure = figure.format(**drill, total_lost=sum(drill["lost"].values()))
            yield Goal(text, f"not run: {drill['not_run']}" if drill["not_run"] else figure, drill["met"])

    def table(self, measurement: Measurement) -> str:
        drills = measurement.metadata["drills"]
        actions = [f"- {each['fault']}: {'; '.join(each['actions']) or each['not_run'] or 'none'}" for each in drills]
        return f"""\
Two replicas served {measurement.metadata["per_s"]:g} requests a second of each model through the SDK, with its
retries; the faults hit one of them. Lost: the SDK raised an error. Wrong: another answer than before the
fault. Recovery: from the fault, or the end of one that lasts, to the last failed inference of a probe, which asks every
model of the harmed replica ten times a second.

{table([{**each, "lost_by_error": _lost(each)} for each in drills if not each["not_run"]], _COLUMNS)}

Actions of the supervisor:

{chr(10).join(actions)}"""


_COLUMNS: Final = {
    "fault": "{fault}",
    "sent": "{sent}",
    "lost": "{lost_by_error}",
    "wrong": "{wrong}",
    "retried": "{retried}",
    "p50 ms": "{p50_ms:.0f}",
    "p99 ms": "{p99_ms:.0f}",
    "slowest ms": "{slowest_ms:.0f}",
    "recovery s": "{recovery_s:.1f}",
    "goal s": "{goal_s:g}",
}


def _lost(drill: dict[str, Any]) -> str:
    return ", ".join(f"{count} {error}" for error, count in drill["lost"].items()) or "0"
