"""One hundred crashes as an experiment."""

import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd

from perf.report.experiment import Experiment, Goal, Measurement, MeasurementError
from perf.report.markdown import table
from perf.report.runner import positive
from server.supervisor.snapshot import DEFAULTS

from .crashes import Row, crash_again_and_again
from .impatient_supervisor import MAX_PAUSE_S

# Goals: recovery beyond the pause, and until `/ready` is 503.
MAX_START_S: Final = 5.0
MAX_NOTICE_S: Final = 1.0


class Restarts(Experiment):
    """Crash a supervised Triton by poisoned requests, each as soon as it is ready again. Takes seven minutes."""

    name = "restarts"
    title = "Crashes in a row"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--crashes", type=positive, default=100, help="crashes in a row, with short pauses")
        parser.add_argument("--crashes-as-shipped", type=positive, default=8, help="crashes with the pauses as shipped")

    def measure(self, args: Any) -> Measurement:
        counts = {MAX_PAUSE_S: args.crashes, DEFAULTS.max_pause_s: args.crashes_as_shipped}
        rows, arms = list[Row](), list[Row]()
        with tempfile.TemporaryDirectory() as folder:
            for number, (max_pause_s, crashes) in enumerate(counts.items()):
                crash_rows, arm = crash_again_and_again(Path(folder) / str(number), crashes, max_pause_s)
                rows += crash_rows
                arms.append(arm)
        if not rows:
            raise MeasurementError("the supervisor survived no crash; its log says why")
        return Measurement(pd.DataFrame(rows), {"arms": arms})

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        for arm in _summary(measurement):
            yield from _goals(arm)

    def table(self, measurement: Measurement) -> str:
        arms = _summary(measurement)
        things = [
            {"thing": f"{meaning} (pauses of at most {arm['max_pause_s']:g} s)", **_over_time(arm, name)}
            for arm in arms
            for name, meaning in _THINGS.items()
        ]
        return f"""\
A request that claims 10^15 elements went to Triton directly, without the reverse proxy that rejects it, and aborted the
process; the next one followed as soon as `/ready` was 200 again. As shipped, the supervisor starts Triton at once after
the first crash, and pauses for 1, 2, 4, 8 and then {DEFAULTS.max_pause_s:g} s before the next starts: a hundred crashes
would take almost half an hour. They were measured with pauses of at most {MAX_PAUSE_S:g} s, and a few with those as
shipped. Recovery contains the pause. The answers are those of both models to the sample users, before the first crash
and after the last.

{table(arms, _ARMS)}

What was there while the server was ready, and after the supervisor was stopped:

{table(things, _COLUMNS)}"""


_ARMS: Final = {
    "longest pause s": "{max_pause_s:g}",
    "crashes": "{crashes}",
    "survived": "{survived}",
    "until 503, worst s": "{noticed_s:.2f}",
    "recovery, median s": "{median_s:.1f}",
    "recovery, worst s": "{worst_s:.1f}",
    "answers": "{answers}",
    "other than before": "{wrong}",
}
_THINGS: Final = {
    "processes": "processes of Triton and its stubs",
    "zombies": "zombies",
    "regions": "files in /dev/shm",
    "copies": "copies of the model repository",
    "descriptors": "descriptors of the supervisor",
    "threads": "threads of the supervisor",
}
_COLUMNS: Final = {
    "": "{thing}",
    "before": "{before}",
    "after the last crash": "{after}",
    "stopped": "{stopped}",
}


def _summary(measurement: Measurement) -> list[Row]:
    return [{**arm, **_figures(measurement.rows, arm)} for arm in measurement.metadata["arms"]]


def _figures(rows: pd.DataFrame, arm: Row) -> Row:
    crashes = rows[rows["max_pause_s"] == arm["max_pause_s"]]
    return {
        "survived": len(crashes),
        "noticed_s": crashes["noticed_s"].max(),
        "median_s": crashes["recovery_s"].median(),
        "worst_s": crashes["recovery_s"].max(),
    }


def _over_time(arm: Row, name: str) -> Row:
    return {when: str(arm[when].get(name, "")) for when in ("before", "after", "stopped")}


def _goals(arm: Row) -> Iterator[Goal]:
    pauses, same = f"pauses of at most {arm['max_pause_s']:g} s", arm["survived"] == arm["crashes"] and not arm["wrong"]
    text = f"{pauses}: {arm['crashes']} crashes in a row are survived, and answers stay the same"
    figure = f"{arm['survived']} of {arm['crashes']}; {arm['wrong']} of {arm['answers']} answers differ"
    yield Goal(text, figure, same)
    limit_s = arm["max_pause_s"] + MAX_START_S
    text = f"{pauses}: `/ready` is 503 within {MAX_NOTICE_S:g} s, and 200 again within {limit_s:g} s"
    figure = f"{arm['noticed_s']:.2f} s; {arm['worst_s']:.1f} s, median {arm['median_s']:.1f} s"
    yield Goal(text, figure, arm["noticed_s"] <= MAX_NOTICE_S and arm["worst_s"] <= limit_s)
    more = {name: arm["after"].get(name, 0) - count for name, count in arm["before"].items()}
    left = {name: count for name, count in more.items() if count > 0} | {
        f"{name} after the stop": count for name, count in arm["stopped"].items() if count
    }
    figure = ", ".join(f"{count} {name}" for name, count in left.items()) or "nothing"
    text = f"{pauses}: nothing is left behind"
    yield Goal(text, figure if arm["after"] else "not measured", bool(arm["after"]) and not left)
