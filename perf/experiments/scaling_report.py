"""The cost of more work as tables, plots, and what follows for a day and for ten million users."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from ..report.command import write

DAY_S: Final = 86_400
CROWD: Final = 10_000_000
# Servers are not run at their limit: answers would wait as long as at a spike.
BUSY: Final = 0.7
FIGURES: Final = [
    "per_s",
    "p50_ms",
    "p99_ms",
    "cpu_ms",
    "sent_per_s",
    "refused_per_s",
    "given_up_per_s",
    "refused_p99_ms",
]
OVERLOADS: Final = ("behind nginx", "Triton alone")


def report(rows: pd.DataFrame, scored: pd.DataFrame, about: dict[str, Any], results: Path) -> None:
    """Write the measures, the medians, the document and the plot to the folder `results`."""
    found, capacity, scored = summarize(rows).round(4), capacities(rows).round(4), scored.round(1)
    arms = found.astype(object).where(found.notna(), None).to_dict("records")
    tables = {"capacity": capacity.to_dict("records"), "scored": scored.to_dict("records")}
    write("cost", rows, markdown(found, scored, capacity), results, **about, arms=arms, **tables)
    chart(found, scored).savefig(results / "cost.png", dpi=110)


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """By model, kind and amount the medians of the rounds, and the range of the throughput."""
    by_arm = rows.groupby(["model", "kind", "amount"], sort=False)
    found = by_arm[FIGURES].median()
    found["low"], found["high"] = by_arm["per_s"].min(), by_arm["per_s"].max()
    return found.reset_index()


def capacities(rows: pd.DataFrame) -> pd.DataFrame:
    """By model the most that this machine answered, median of the rounds, and what follows from it.

    Columns: `per_s`, `cpu_ms` a request at that load, `day` (users a day at `BUSY`), `crowd_h` (hours of this machine
    for ten million users at `BUSY`) and `core_h` (hours of one core's time for them).
    """
    steady = rows[rows["kind"] == "clients"]
    best = steady.loc[steady.groupby(["round", "model"])["per_s"].idxmax()]
    found = best.groupby("model", sort=False)[["per_s", "cpu_ms"]].median()
    found["day"] = BUSY * found["per_s"] * DAY_S
    found["crowd_h"] = CROWD / (BUSY * found["per_s"]) / 3600
    found["core_h"] = CROWD * found["cpu_ms"] / 1000 / 3600
    return found.reset_index()


def markdown(found: pd.DataFrame, scored: pd.DataFrame, capacity: pd.DataFrame) -> str:
    """The document, from what `summarize`, `perf.experiments.scaling.score` and `capacities` returned."""
    return f"""# Cost as work grows

Written by `python -m perf.experiments.scaling`, like `cost.json` beside it, which has machine, date and seed, and `cost.csv`, which
has every round. Medians of the rounds, throughput with its range. The load generator runs on the same cores, and takes
the more of them the more it sends.

| model | clients | a second | p50 ms | p99 ms | CPU ms a request |
|---|---|---|---|---|---|
{_lines(_steady(found, "clients"))}

Overload, as multiples of the most that was answered above. nginx refuses who would not be answered soon (503, gRPC
UNAVAILABLE); before Triton alone everybody waits, and gives up after five seconds.

| model | | times the most | sent a second | answered | refused | given up | p50 ms | p99 ms | p99 of a refusal |
|---|---|---|---|---|---|---|---|---|---|
{_lines(_overload(found))}

Instances of each model, 16 clients:

| model | instances | a second | p50 ms | p99 ms | CPU ms a request |
|---|---|---|---|---|---|
{_lines(_steady(found, "instances"))}

Users scored without a pause, 16 of them at once, and the memory of all of Triton's processes then, MB:

| model | users | seconds | {" | ".join(parts(scored))} | together |
|---|---|---|{"---|" * (len(parts(scored)) + 1)}
{_lines(_scored(scored))}

What this machine does at {BUSY:.0%} of the most that it answered, and what ten million users cost:

| model | users a day | hours of this machine for ten million | core hours for ten million |
|---|---|---|---|
{_lines(_capacity(capacity))}
"""


def chart(found: pd.DataFrame, scored: pd.DataFrame) -> Figure:
    """Latency and CPU over clients, answers and latency over the offered rate, time over users."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    latency, cpu, answered, overload, time, memory = figure.subplots(2, 3).flat
    for model, arm in found[found["kind"] == "clients"].groupby("model", sort=False):
        (line,) = latency.plot(arm["amount"], arm["p50_ms"], "o-", label=f"{model}, p50")
        latency.plot(arm["amount"], arm["p99_ms"], "o:", color=line.get_color(), label=f"{model}, p99")
        cpu.plot(arm["amount"], arm["cpu_ms"], "o-", label=str(model))
    for (backbone, kind), arm in found[found["kind"].isin(OVERLOADS)].groupby(["model", "kind"], sort=False):
        style = "o-" if kind == OVERLOADS[0] else "x--"
        answered.plot(arm["amount"], arm["per_s"], style, label=f"{backbone}, {kind}")
        overload.plot(arm["amount"], arm["p99_ms"], style, label=f"{backbone}, {kind}")
    for model, arm in scored.groupby("model", sort=False):
        time.plot(arm["users"], arm["seconds"], "o-", label=str(model))
        memory.plot(arm["users"], arm[parts(scored)].sum(axis=1), "o-", label=str(model))
    latency.set(title="latency, ms", xlabel="clients", xscale="log", yscale="log")
    cpu.set(title="CPU ms a request", xlabel="clients", xscale="log")
    answered.set(title="answered a second", xlabel="times the most that can be answered", xscale="log")
    overload.set(
        title="p99 of the answered, ms", xlabel="times the most that can be answered", xscale="log", yscale="log"
    )
    time.set(title="seconds to score", xlabel="users", xscale="log", yscale="log")
    memory.set(title="memory, MB", xlabel="users since the model's first", xscale="log")
    for axes in (cpu, answered, memory):
        axes.set_ylim(0, 1.1 * axes.dataLim.y1)
    for axes in (latency, cpu, answered, overload, time, memory):
        axes.legend(frameon=False, fontsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _lines(rows: Iterator[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _steady(found: pd.DataFrame, kind: str) -> Iterator[list[str]]:
    for row in found[found["kind"] == kind].to_dict("records"):
        throughput = f"{row['per_s']:.0f} ({row['low']:.0f} to {row['high']:.0f})"
        times = [_ms(row[name]) for name in ("p50_ms", "p99_ms", "cpu_ms")]
        yield [row["model"], str(row["amount"]), throughput, *times]


def _overload(found: pd.DataFrame) -> Iterator[list[str]]:
    for row in found[found["kind"].isin(OVERLOADS)].to_dict("records"):
        counts = [f"{row[name]:.0f}" for name in ("sent_per_s", "per_s", "refused_per_s", "given_up_per_s")]
        times = [_ms(row[name]) for name in ("p50_ms", "p99_ms", "refused_p99_ms")]
        yield [row["model"], row["kind"], str(row["amount"]), *counts, *times]


def _scored(scored: pd.DataFrame) -> Iterator[list[str]]:
    for row in scored.to_dict("records"):
        memory = [row[name] for name in parts(scored)]
        figures = [row["users"], row["seconds"], *memory, sum(memory)]
        yield [row["model"], *(f"{figure:.0f}" for figure in figures)]


def _capacity(capacity: pd.DataFrame) -> Iterator[list[str]]:
    for row in capacity.to_dict("records"):
        yield [row["model"], f"{row['day'] / 1e6:.1f} million", f"{row['crowd_h']:.1f}", f"{row['core_h']:.1f}"]


def _ms(time: float) -> str:
    return "" if pd.isna(time) else f"{time:.1f}"


def parts(scored: pd.DataFrame) -> list[str]:
    """The columns that are some process' memory."""
    return [name for name in scored.columns if name not in ("model", "users", "seconds")]
