"""A soak as a document and a plot: what stayed flat, what grew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from perf.report.command import write
from perf.report.goals import Goal, table
from perf.report.trend import Slope, growth

# By how much of its level a series may grow over the run and still count as flat: what is held, and what is waited.
HELD: Final = 0.05
WAITED: Final = 0.25
FLAT: Final = "flat"
COUNTED: Final = ("descriptors", "threads")
TIMES: Final = ("p50_ms", "p99_ms")


def report(most: float, rows: pd.DataFrame, about: dict[str, Any], results: Path) -> None:
    """Write the series, what became of each, the document and the plot to the folder `results`.

    Raises:
        ValueError: the run was too short to tell.
    """
    found = summarize(rows)
    ends = {name: int(rows[name].sum()) for name in ("answered", "refused", "failed")}
    told = {"saturation_per_s": round(most, 1), **ends, "failures": _failures(rows)}
    verdicts = list(goals(found, told))
    series = found.round(4).to_dict("records")
    write("soak", rows, markdown(found, told, rows), results, **about, **told, series=series, goals=_plain(verdicts))
    chart(rows, found).savefig(results / "soak.png", dpi=110)


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each series: where it began, its level (median of the second half), how it grows, and the bound."""
    return pd.DataFrame(_summary(rows, name) for name in _series(rows))


def _summary(rows: pd.DataFrame, name: str) -> dict[str, Any]:
    one = rows[["seconds", name]].dropna()
    grown: Slope = growth(one["seconds"].to_numpy(), one[name].to_numpy(dtype=float))
    late = one["seconds"] >= (one["seconds"].iloc[0] + one["seconds"].iloc[-1]) / 2
    bound = WAITED if name in TIMES else HELD
    figures = {"began": float(one[name].iloc[0]), "level": float(one[name][late].median())}
    grows = {"growth": grown.middle, "growth_low": grown.low, "growth_high": grown.high}
    return {"series": name, **figures, **grows, "bound": bound, "verdict": verdict(grown, bound)}


def verdict(grown: Slope, bound: float) -> str:
    """Whether a series is flat, or grows, or varies too much to tell."""
    if grown.high <= bound:
        return FLAT
    return "grows" if grown.low > bound else "too unsteady to tell"


def _series(rows: pd.DataFrame) -> list[str]:
    return [*(str(name) for name in rows if str(name).endswith("_mb")), *COUNTED, *TIMES]


def goals(found: pd.DataFrame, told: dict[str, Any]) -> Iterator[Goal]:
    """From what `summarize` returned, and how the requests ended."""
    kinds = {"memory and shared memory": "_mb", "descriptors": "descriptors", "threads": "threads", "latency": "_ms"}
    for kind, suffix in kinds.items():
        rows = found[found["series"].str.endswith(suffix)]
        worst = rows.sort_values("growth_high").iloc[-1]
        text = f"{kind}: surely no more than {worst['bound']:.0%} of growth over the run"
        figure = f"{worst['growth_high']:+.1%} at most ({_spoken(worst['series'])})"
        yield Goal(text, figure, bool((rows["verdict"] == FLAT).all()))
    asked = told["answered"] + told["refused"] + told["failed"]
    figure = f"{told['failed']} of {asked:,}" + (f": {told['failures']}" if told["failed"] else "")
    yield Goal("no request failed that should not", figure, told["failed"] == 0 and told["answered"] > 0)


def markdown(found: pd.DataFrame, told: dict[str, Any], rows: pd.DataFrame) -> str:
    """The document, from what `summarize` returned, how the requests ended, and the series themselves."""
    lines = [
        f"| {_spoken(row['series'])} | {row['began']:.1f} | {row['level']:.1f} | {row['growth']:+.2%} "
        f"({row['growth_low']:+.2%} to {row['growth_high']:+.2%}) | {row['bound']:.0%} "
        f"| {row['verdict']} |"
        for row in found.to_dict("records")
    ]
    minutes = rows["seconds"].iloc[-1] / 60
    rate = told["answered"] / rows["seconds"].iloc[-1]
    return f"""# Soak

Written by `python -m reliability.soak`, like `soak.json` beside it, which has machine, date and seed, and `soak.csv`, which
has every sample. {minutes:.0f} min through the SDK over gRPC and HTTP, both backbones.
At most {told["saturation_per_s"]:.0f} users a second were answered before; of those who came then, {rate:.0f} a second
were answered, and {told["refused"]:,} refused because their avatars were none. The load generator runs on the same
cores.

{table(goals(found, told))}

Growth is the Theil–Sen slope of the second half with its 95 % interval, over the length of the run, as a share of the
level, the median of that half. Flat is what stays below the bound by all of the interval, and grows what exceeds it by
all of it. MB of each part of the server are of memory that is no file's, which is where leaks are; shared memory is
what the server has mapped of /dev/shm; `sdk` is the process that asks.

| | at the start | level | growth | bound | |
|---|---|---|---|---|---|
{chr(10).join(lines)}
"""


def chart(rows: pd.DataFrame, found: pd.DataFrame) -> Figure:
    """Every series over time: memory, what is counted, latency, and how requests ended."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    memory, counted, latency, ends = figure.subplots(2, 2).flat
    minutes = rows["seconds"] / 60
    for axes, names in (
        (memory, [name for name in found["series"] if name.endswith("_mb")]),
        (counted, COUNTED),
        (latency, TIMES),
        (ends, ("answered", "refused", "failed")),
    ):
        for name in names:
            axes.plot(minutes, rows[name], label=_spoken(name))
        axes.legend(frameon=False, fontsize=7, ncols=2)
        axes.set_xlabel("minutes")
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    memory.set_title("memory, MB")
    counted.set_title("of the server")
    latency.set_title("latency, ms")
    ends.set_title("requests in each sample")
    return figure


def _failures(rows: pd.DataFrame) -> str:
    return " ".join(sorted({name for names in rows["failures"] for name in names.split()}))


def _plain(verdicts: list[Goal]) -> list[dict[str, Any]]:
    return [goal._asdict() for goal in verdicts]


def _spoken(name: str) -> str:
    return name.replace("_mb", ", MB").replace("_ms", ", ms")
