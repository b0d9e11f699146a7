"""Overload as an experiment."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from figures.axes import legend_above, log_y
from figures.colors import colors_of
from figures.style import WIDTH
from perf.load.served import gender_ensembles, running_gender_models
from perf.load.workload import synthetic_users
from perf.report.charts import THIN, Line, plot_columns
from perf.report.experiment import Charted, Experiment, Goal, Measurement, records
from perf.report.markdown import table
from perf.report.runner import add_users, positive
from server.edge.access_policy import IN_FLIGHT

from .flood import OVERLOAD, PROCESSES, RATES, RECOVERED, by_second, cores, flood_all, summarize

# Goals: p99 under overload over p99 when idle; p99 of refusals; throughput per CPU second left; recovery.
MAX_TAIL: Final = 5
MAX_REFUSAL_MS: Final = 50
MIN_EFFICIENCY: Final = 0.95
MAX_RECOVERY_S: Final = 5
# Enough requests for a p99, and enough time to recover.
AROUND_S: Final = 10.0


class Overload(Experiment, Charted):
    """Send ten times what Triton can answer through the reverse proxy, with idle load before and after. Needs nginx."""

    name = "overload"
    title = "Overload"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_users(parser)
        parser.add_argument("--seconds", type=positive, default=60, help="length of the flood")
        parser.add_argument("--in-flight", type=positive, default=IN_FLIGHT, help="requests that the proxy admits")

    def measure(self, args: Any) -> Measurement:
        users, around_s = synthetic_users(args.users, args.seed), max(AROUND_S, args.seconds / 4)
        with running_gender_models() as server:
            models = gender_ensembles()
            floods = flood_all(server, models, users, args.seed, args.seconds, around_s, args.in_flight)
        arms = pd.DataFrame(summarize(flood, cores()) for flood in floods)
        return Measurement(pd.concat(map(by_second, floods)), {"cores": cores(), "arms": records(arms)})

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        for arm in _arms(measurement):
            yield from _goals(arm)

    def table(self, measurement: Measurement) -> str:
        arms, about = _arms(measurement), measurement.metadata
        return f"""\
For {about["seconds"]} s, {OVERLOAD} times the requests that Triton alone answers at best arrived at the reverse proxy,
which admits {about["in_flight"]} at once and refuses the others with 503; the SDK then retries later, or raises
`Overloaded`. Before and after, a tenth of what Triton can answer arrived. The best was measured before and
after. The server has recovered when all requests of one second are answered with a p99 of at most {RECOVERED} times
that before the flood. The generator measures the latencies; `late` is the p99 of its own delay.

{table(arms, _RATES)}

Generator and nginx share {about["cores"]} cores with Triton; others are the rest of the machine and of its host. Busy
cores during the flood, the share of the CPU left to Triton then and at its best, the share of the best that was
answered, and what was answered per CPU second left, relative to the best:

{table(arms, _CORES)}"""

    def chart(self, measurement: Measurement) -> Figure:
        models = list(measurement.rows.groupby("model", sort=False))
        figure = Figure(figsize=(WIDTH, 7.6))
        panels = figure.subplots(3, len(models), squeeze=False, sharex=True, sharey="row")
        for (model, rows), (rates, latency, cpu) in zip(models, panels.T, strict=True):
            plot_columns(rates, rows["second"], rows, _RATE_LINES)
            plot_columns(latency, rows["second"], rows, _LATENCY_LINES)
            names = [name for name in PROCESSES if f"{name}_cores" in rows]
            busy = [rows[f"{name}_cores"] for name in names]
            cpu.stackplot(rows["second"], *busy, labels=names, colors=colors_of(names).values())
            cpu.set_xlabel(f"{model}: seconds since the flood began")
        rates, latency, cpu = panels[:, 0]
        rates.set(ylabel="requests per second", yscale="symlog", ylim=(0, 2 * measurement.rows["sent"].max()))
        rates.yaxis.set_major_formatter("{x:,.0f}")
        latency.set_ylabel("latency, ms")
        log_y(latency)
        cpu.set_ylabel("busy cores")
        for axes in panels[:, 0]:
            legend_above(axes)
        return figure


_RATES: Final = {
    "model": "{model}",
    "best a second": "{best_per_s:.0f}",
    "sent": "{sent_per_s:.0f}",
    **{name.removesuffix("_per_s"): f"{{{name}:.0f}}" for name in RATES},
    "p50 ms": "{p50_ms:.1f}",
    "p99 ms": "{p99_ms:.1f}",
    "refusal p50 ms": "{refused_p50_ms:.1f}",
    "refusal p99 ms": "{refused_p99_ms:.1f}",
    "late ms": "{late_p99_ms:.1f}",
}
_RATE_LINES: Final = {name: Line(name, name) for name in ("sent", "answered", "refused", "lost")}
_LATENCY_LINES: Final = {
    "p50_ms": Line("answers, p50", "answered"),
    "p99_ms": Line("answers, p99", "answered", THIN),
    "refused_p99_ms": Line("refusals, p99", "refused", THIN),
}
_CORES: Final = {
    "model": "{model}",
    **{name: f"{{{name}_cores:.2f}}" for name in PROCESSES},
    "left": "{left:.0%}",
    "left at best": "{left_at_best}",
    "answered": "{kept:.0%}",
    "per CPU second left": "{efficiency:.0%}",
}


def _arms(measurement: Measurement) -> list[dict[str, Any]]:
    """Return the figures of each model, and the throughput per CPU second left to Triton, relative to the best.

    In older result files, only nginx and the generator are subtracted from the CPU, and nothing from that at best.
    """
    arms = [{"others_cores": None, "best_left": None, **arm} for arm in measurement.metadata["arms"]]
    for arm in arms:
        arm["efficiency"] = arm["kept"] / arm["left"] * (arm["best_left"] or 1)
        arm["left_at_best"] = f"{arm['best_left']:.0%}" if arm["best_left"] else "not measured"
    return arms


def _goals(arm: dict[str, Any]) -> Iterator[Goal]:
    model = arm["model"]
    tail = arm["p99_ms"] / arm["idle_p99_ms"]
    text = f"{model}: the p99 of answers is at most {MAX_TAIL} times that of an idle server"
    figure = f"{tail:.1f} times: {arm['p99_ms']:.0f} ms, idle {arm['idle_p99_ms']:.0f} ms"
    yield Goal(text, figure, tail <= MAX_TAIL)
    text = f"{model}: all other requests are refused within {MAX_REFUSAL_MS} ms (p99)"
    figure = f"{arm['refused_p99_ms']:.1f} ms; {arm['lost_per_s']:.1f} requests a second without a response"
    met = arm["refused_p99_ms"] <= MAX_REFUSAL_MS and arm["lost_per_s"] == 0 and arm["refused_per_s"] > 0
    yield Goal(text, figure, met)
    text = f"{model}: the throughput per CPU second left to Triton is at least {MIN_EFFICIENCY:.0%} of the best"
    figure = (
        f"{arm['efficiency']:.0%}: {arm['kept']:.0%} of the answers under {arm['times']:.1f} times the load, "
        f"{arm['left']:.0%} of the CPU left, at best {arm['left_at_best']}"
    )
    yield Goal(text, figure, arm["efficiency"] >= MIN_EFFICIENCY)
    figure = "not recovered" if arm["back_s"] is None else f"{arm['back_s']:.1f} s"
    met = arm["back_s"] is not None and arm["back_s"] <= MAX_RECOVERY_S
    yield Goal(f"{model}: recovery within {MAX_RECOVERY_S} s", figure, met)
