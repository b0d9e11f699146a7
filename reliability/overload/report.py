"""An overload as goals, tables and a plot, second by second."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from perf.load.http_client_load import ANSWERED, REFUSED
from perf.load.open_loop import LOST
from perf.report.command import write
from perf.report.goals import Goal, table

# What is wanted of those who are let in, of a refusal, of the throughput, and of the time after.
TAIL: Final = 5
REFUSED_MS: Final = 50
KEPT: Final = 0.9
BACK_S: Final = 5
# The p99 of a second, beside that of the idle server, at which it is idle again.
NORMAL: Final = 1.5
STEP_S: Final = 0.1
PROCESSES: Final = ("triton", "nginx", "generator")


class Measured(NamedTuple):
    """What happened to one model.

    `best_per_s`: the most that Triton answered without a front. `outcomes` has the columns of `storm.Outcome`; `cpu`
    has `seconds` and, for each of `PROCESSES`, the CPU time until then, s. Both count from the start; the flood began
    `before_s` later and lasted `flood_s`.
    """

    model: str
    best_per_s: float
    before_s: float
    flood_s: float
    outcomes: pd.DataFrame
    cpu: pd.DataFrame


def report(found: Sequence[Measured], about: dict[str, Any], results: Path) -> None:
    """Write the series, the figures of each model, the goals, the document and the plot to the folder `results`."""
    arms = [summarize(each, about["cores"]) for each in found]
    series = pd.concat([by_second(each) for each in found], ignore_index=True)
    verdicts = [goal for arm in arms for goal in goals(arm)]
    told = {"arms": [_written(arm) for arm in arms], "goals": [goal._asdict() for goal in verdicts]}
    write("overload", series, markdown(arms, about), results, **about, **told)
    chart(series).savefig(results / "overload.png", dpi=110)


def summarize(found: Measured, cores: int) -> dict[str, Any]:
    """The figures of one model: rates a second, times in ms, and cores that each process kept busy in the flood."""
    due, end = found.outcomes["due_s"], found.before_s + found.flood_s
    flood = found.outcomes[(due >= found.before_s) & (due < end)]
    idle, admitted, refused = (_times(rows, status) for rows, status in _parts(found, flood))
    rates = {name: (flood["status"] == status).sum() / found.flood_s for name, status in _ENDS.items()}
    busy = {f"{name}_cores": _cores(found.cpu, name, found.before_s, end) for name in PROCESSES}
    return {
        "model": found.model,
        "best_per_s": found.best_per_s,
        "idle_p99_ms": _rank(idle, 99),
        "sent_per_s": len(flood) / found.flood_s,
        **rates,
        "times": len(flood) / found.flood_s / found.best_per_s,
        "kept": rates["answered_per_s"] / found.best_per_s,
        "p50_ms": _rank(admitted, 50),
        "p99_ms": _rank(admitted, 99),
        "refused_p50_ms": _rank(refused, 50),
        "refused_p99_ms": _rank(refused, 99),
        "late_p99_ms": _rank(flood["late_ms"], 99),
        **busy,
        "left": 1 - (busy["nginx_cores"] + busy["generator_cores"]) / cores,
        "back_s": back_to_normal(found.outcomes, end, NORMAL * _rank(idle, 99)),
    }


_ENDS: Final = {"answered_per_s": ANSWERED, "refused_per_s": REFUSED, "lost_per_s": LOST}


def _parts(found: Measured, flood: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, int]]:
    yield found.outcomes[found.outcomes["due_s"] < found.before_s], ANSWERED
    yield flood, ANSWERED
    yield flood, REFUSED


def back_to_normal(outcomes: pd.DataFrame, end_s: float, limit_ms: float) -> float:
    """Seconds after `end_s` until all who come within a second are answered, with a p99 of at most `limit_ms`.

    NaN if that did not happen before the last came.
    """
    after = outcomes[outcomes["due_s"] >= end_s]
    for begin in np.arange(end_s, float(outcomes["due_s"].max()) - 1, STEP_S):
        second = after[(after["due_s"] >= begin) & (after["due_s"] < begin + 1)]
        answered = len(second) > 0 and bool((second["status"] == ANSWERED).all())
        if answered and _rank(second["took_ms"], 99) <= limit_ms:
            return float(begin - end_s)
    return float("nan")


def by_second(found: Measured) -> pd.DataFrame:
    """For each second since the flood began: rates, percentiles of those who came in it, and cores busy."""
    seconds = np.floor(found.outcomes["due_s"] - found.before_s).astype(int)
    return pd.DataFrame(_second(found, int(second), rows) for second, rows in found.outcomes.groupby(seconds))


def _second(found: Measured, second: int, rows: pd.DataFrame) -> dict[str, Any]:
    answered, begin = _times(rows, ANSWERED), found.before_s + second
    return {
        "model": found.model,
        "second": second,
        "sent": len(rows),
        **{name.removesuffix("_per_s"): int((rows["status"] == status).sum()) for name, status in _ENDS.items()},
        "p50_ms": _rank(answered, 50),
        "p99_ms": _rank(answered, 99),
        "refused_p99_ms": _rank(_times(rows, REFUSED), 99),
        "late_p99_ms": _rank(rows["late_ms"], 99),
        **{f"{name}_cores": _cores(found.cpu, name, begin, begin + 1) for name in PROCESSES},
    }


def goals(arm: dict[str, Any]) -> Iterator[Goal]:
    """From what `summarize` returned."""
    model = arm["model"]
    tail = arm["p99_ms"] / arm["idle_p99_ms"]
    text = f"{model}: who is let in waits at most {TAIL} times as long as when it is idle (p99)"
    yield Goal(text, f"{tail:.1f} times: {arm['p99_ms']:.0f} ms, {arm['idle_p99_ms']:.0f} ms idle", tail <= TAIL)
    text = f"{model}: all others are refused within {REFUSED_MS} ms (p99), with an error that says: try again"
    figure = f"{arm['refused_p99_ms']:.1f} ms; {arm['lost_per_s']:.1f} a second without an answer"
    at_once = arm["refused_p99_ms"] <= REFUSED_MS and arm["lost_per_s"] == 0 and arm["refused_per_s"] > 0
    yield Goal(text, figure, bool(at_once))
    text = f"{model}: as many answered as at best, but for {1 - KEPT:.0%}"
    figure = (
        f"{arm['kept']:.0%} under {arm['times']:.1f} times the load, with {arm['left']:.0%} of the CPU left to Triton"
    )
    yield Goal(text, figure, bool(arm["kept"] >= KEPT))
    figure = "not before the end" if np.isnan(arm["back_s"]) else f"{arm['back_s']:.1f} s"
    yield Goal(f"{model}: back to normal within {BACK_S} s", figure, bool(arm["back_s"] <= BACK_S))


def markdown(arms: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """The document, from what `summarize` returned and the circumstances."""
    rates = [
        [arm["model"], *(f"{arm[name]:.0f}" for name in ("best_per_s", "sent_per_s", *_ENDS))]
        + [f"{arm[name]:.1f}" for name in ("p50_ms", "p99_ms", "refused_p50_ms", "refused_p99_ms", "late_p99_ms")]
        for arm in arms
    ]
    cores = [
        [
            arm["model"],
            *(f"{arm[f'{name}_cores']:.2f}" for name in PROCESSES),
            f"{arm['left']:.0%}",
            f"{arm['kept']:.0%}",
        ]
        for arm in arms
    ]
    return f"""# Overload

Written by `python -m reliability.overload`, like `overload.json` beside it, which has machine, date and seed, and
`overload.csv`, which has every second. For {about["seconds"]} s ten times what Triton alone answered at best, before
nginx (`server.edge.reverse_proxy`), which lets in {about["in_flight"]} at once and refuses the others with 503; the SDK takes that
for `Overloaded`, and asks again later. Before and after come few users, a tenth of what can be answered.

{table(goal for arm in arms for goal in goals(arm))}

Back to normal is when those who come within one second are all answered, with a p99 of at most {NORMAL} times that of
the idle server. The best was measured before and after, and of that the higher counts. Times of requests are as they
were seen by the generator; `late` is by how much it sent them late, p99.

| model | best a second | sent | answered | refused | lost | p50 ms | p99 ms | p50 of a refusal | p99 | late ms |
|---|---|---|---|---|---|---|---|---|---|---|
{_lines(rates)}

Generator and nginx share {about["cores"]} cores with Triton. Cores kept busy during the flood, the share that the first
two left to Triton, and the share of the best that was answered:

| model | Triton | nginx | generator | left | answered |
|---|---|---|---|---|---|
{_lines(cores)}
"""


def chart(series: pd.DataFrame) -> Figure:
    """For each model, second by second: what was answered and refused, latency, and CPU."""
    models = list(series["model"].unique())
    figure = Figure(figsize=(12, 3.2 * len(models)), layout="constrained")
    for (rates, latency, cpu), model in zip(figure.subplots(len(models), 3, squeeze=False), models, strict=True):
        rows = series[series["model"] == model]
        for name in ("sent", "answered", "refused", "lost"):
            rates.plot(rows["second"], rows[name], label=name)
        for name in ("p50_ms", "p99_ms", "refused_p99_ms"):
            latency.plot(rows["second"], rows[name], label=name.removesuffix("_ms").replace("_", ", "))
        cpu.stackplot(rows["second"], *(rows[f"{name}_cores"] for name in PROCESSES), labels=PROCESSES)
        rates.set(title=f"{model}, a second", yscale="symlog")
        latency.set(title="latency, ms", yscale="log")
        cpu.set(title="cores busy")
        for axes in (rates, latency, cpu):
            axes.set_xlabel("seconds since the flood began")
            axes.legend(frameon=False, fontsize=7)
            axes.spines[["top", "right"]].set_visible(False)
    return figure


def _times(rows: pd.DataFrame, status: int) -> "pd.Series[float]":
    return rows["took_ms"][rows["status"] == status]


def _rank(times: "pd.Series[float]", rank: float) -> float:
    return float(np.percentile(times, rank)) if len(times) else float("nan")


def _cores(cpu: pd.DataFrame, name: str, begin: float, end: float) -> float:
    spent = np.interp([begin, end], cpu["seconds"], cpu[f"{name}_s"])
    return float(spent[1] - spent[0]) / (end - begin)


def _written(arm: dict[str, Any]) -> dict[str, Any]:
    """As JSON takes it: no NaN, and not more digits than mean something."""
    numbers = {name: float(value) for name, value in arm.items() if name != "model"}
    return {
        "model": arm["model"],
        **{name: None if np.isnan(value) else round(value, 4) for name, value in numbers.items()},
    }


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
