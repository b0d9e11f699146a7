"""Soak as an experiment: which resources grow."""

import asyncio
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from figures.axes import legend_above
from figures.style import WIDTH
from perf.load.served import gender_ensembles, running_gender_models
from perf.load.workload import synthetic_users
from perf.report.charts import THIN, Line, plot_columns
from perf.report.experiment import Charted, Experiment, Goal, Measurement
from perf.report.markdown import table
from perf.report.runner import add_users, positive
from perf.report.trend import Slope, growth

from .load import LOAD_SHARE, soak

EVERY_S: Final = 5.0
# The share of its level by which a series may grow over the run: resources, and latencies.
RESOURCE_BOUND: Final = 0.05
LATENCY_BOUND: Final = 0.25
FLAT: Final = "flat"
NOT_GROWING: Final = "does not grow"
COUNTS: Final = ("descriptors", "threads")
LATENCIES: Final = ("p50_ms", "p99_ms")
ENDS: Final = ("answered", "refused", "failed")
# Goals by the ends of the names of their series.
GOALS: Final = {
    "memory and shared memory": "_mb",
    "descriptors": "descriptors",
    "threads": "threads",
    "latency": "_ms",
}


class Soak(Experiment, Charted):
    """Load the server to 60% for a long time, and check that memory, handles and latency do not grow.

    Requests go through the SDK, over gRPC and HTTP, to every backbone; some have broken avatars.
    """

    name = "soak"
    title = "Soak"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_users(parser)
        parser.add_argument("--minutes", type=positive, default=30)

    def measure(self, args: Any) -> Measurement:
        users, models = synthetic_users(args.users, args.seed), list(gender_ensembles().values())
        with running_gender_models() as server:
            saturation, rows = asyncio.run(soak(server, models, users, args.seed, 60.0 * args.minutes, EVERY_S))
        ends = {name: int(rows[name].sum()) for name in ENDS}
        failures = " ".join(sorted(set(" ".join(rows["failures"]).split())))
        return Measurement(rows, {"saturation_per_s": round(saturation, 1), **ends, "failures": failures})

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        series, about = summarize(measurement.rows), measurement.metadata
        for kind, suffix in GOALS.items():
            rows = series[series["series"].str.endswith(suffix)]
            worst = rows.sort_values("growth_high").iloc[-1]
            text = f"{kind}: the second half, over the length of the run, grows by at most {worst['bound']:.0%}"
            figure = f"at most {worst['growth_high']:+.1%} ({_label(worst['series'])})"
            yield Goal(text, figure, bool(rows["verdict"].isin((FLAT, NOT_GROWING)).all()))
        sent, failed = sum(about[name] for name in ENDS), about["failed"]
        figure = f"{failed} of {sent:,}" + (f": {about['failures']}" if failed else "")
        yield Goal("no valid request fails", figure, failed == 0 and about["answered"] > 0)

    def table(self, measurement: Measurement) -> str:
        about, seconds = measurement.metadata, measurement.rows["seconds"].iloc[-1]
        series = summarize(measurement.rows)
        return f"""\
The server answered at most {about["saturation_per_s"]:.0f} requests a second. Then, for {seconds / 60:.0f} minutes,
{LOAD_SHARE:.0%} of that arrived through the SDK, over gRPC and HTTP, for all backbones: {about["answered"]:,} requests
were answered, and {about["refused"]:,} with broken avatars were refused.

Growth is the Theil–Sen slope of the second half with its 95% interval, over the length of the run, as a share of the
level, which is the median of that half. A series is flat if the whole interval is within the bound, upwards and
downwards; does not grow if only its upper end is, as after a busier start; and grows if the whole interval is above it.
Memory is anonymous memory, in which leaks show, of each part of the server and of the process that runs the SDK; shared
memory is what the server has mapped of /dev/shm.

{table(series.assign(label=series["series"].map(_label)), _COLUMNS)}"""

    def chart(self, measurement: Measurement) -> Figure:
        rows = measurement.rows
        panels = {
            "memory, MB": {name: _memory_line(name.removesuffix("_mb")) for name in _memory(rows)},
            "number in the server": {name: Line(name, name) for name in COUNTS},
            "latency, ms": {"p50_ms": Line("p50", "answered"), "p99_ms": Line("p99", "answered", THIN)},
            f"requests in {EVERY_S:g} s": {name: Line(name, name) for name in ENDS},
        }
        figure = Figure(figsize=(WIDTH, 7))
        for axes, (label, lines) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
            plot_columns(axes, rows["seconds"] / 60, rows, lines)
            axes.set(ylabel=label, xlabel="minutes", ylim=(0, None))
            legend_above(axes, columns=3)
        return figure


_COLUMNS: Final = {
    "series": "{label}",
    "start": "{began:.1f}",
    "level": "{level:.1f}",
    "growth": "{growth:+.2%} ({growth_low:+.2%} to {growth_high:+.2%})",
    "bound": "{bound:.0%}",
    "verdict": "{verdict}",
}


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the growth of every series: its start, its level, its slope with interval, its bound and a verdict.

    Raises:
        ValueError: The second half of the run has fewer than three samples.
    """
    names = [*_memory(rows), *COUNTS, *LATENCIES]
    return pd.DataFrame(_summary(rows[["seconds", name]].dropna(), name) for name in names)


def _summary(rows: pd.DataFrame, name: str) -> dict[str, Any]:
    seconds, values = rows["seconds"], rows[name]
    slope = growth(seconds.to_numpy(), values.to_numpy(dtype=float))
    late = seconds >= (seconds.iloc[0] + seconds.iloc[-1]) / 2
    bound = LATENCY_BOUND if name in LATENCIES else RESOURCE_BOUND
    return {
        "series": name,
        "began": values.iloc[0],
        "level": values[late].median(),
        "growth": slope.middle,
        "growth_low": slope.low,
        "growth_high": slope.high,
        "bound": bound,
        "verdict": verdict(slope, bound),
    }


def verdict(slope: Slope, bound: float) -> str:
    """Classify a slope by its interval."""
    if slope.high <= bound:
        return FLAT if slope.low >= -bound else NOT_GROWING
    return "grows" if slope.low > bound else "too noisy"


def _memory_line(name: str) -> Line:
    thing = {"tritonserver": "Triton", "shared": "shared memory"}.get(name, name)
    return Line(thing, thing)


def _memory(rows: pd.DataFrame) -> list[str]:
    return [name for name in map(str, rows) if name.endswith("_mb")]


def _label(name: str) -> str:
    return name.replace("_mb", ", MB").replace("_ms", ", ms")
