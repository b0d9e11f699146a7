"""The cost of answers as work grows: more clients, more users."""

from collections.abc import Iterator, Sequence
from itertools import product
from time import perf_counter
from typing import Any, ClassVar, Final

import pandas as pd
from matplotlib.figure import Figure

from figures.axes import log_x, shared_legend
from figures.style import WIDTH
from server.launch.process import Server

from ..load.http_client_load import Request, closed_loop, triton_request
from ..load.process_stats import cpu_seconds, pss_mb
from ..load.served import gender_ensembles, running_gender_models
from ..load.workload import synthetic_users
from ..report.charts import plot_latency, plot_lines
from ..report.experiment import Charted, Goal, Measurement, records
from ..report.markdown import table
from ..report.rounds import RoundsExperiment, Row

SCORED: Final = (1_000, 10_000, 100_000)
# Keeps every core busy without long queues.
CONCURRENCY: Final = 16
DAY_S: Final = 86_400
USERS: Final = 10_000_000
# Servers do not run at their limit, where answers wait as long as in a spike.
BUSY: Final = 0.7
# Buffers fill during the first requests. Later growth up to this factor counts as noise.
FILLED: Final = 10_000
FLAT: Final = 1.05


class Scaling(RoundsExperiment, Charted):
    """Measure throughput, latency, CPU and memory with more clients and more users.

    The experiment for more requests than the server can answer is `python -m reliability overload`.
    """

    name = "scaling"
    title = "Cost as work grows"
    clients = (1, 2, 4, 8, 16, 32, 64)
    arm = ("model", "clients")
    spread = ("per_s",)
    columns: ClassVar = {
        "per second": "{per_s:.0f} ({per_s_low:.0f} to {per_s_high:.0f})",
        "p50 ms": "{p50_ms:.1f}",
        "p99 ms": "{p99_ms:.1f}",
        "CPU ms per request": "{cpu_ms:.1f}",
    }

    def measure(self, args: Any) -> Measurement:
        rows, users, scored = super().measure(args).rows, synthetic_users(args.users, args.seed), list[Row]()
        with running_gender_models() as server:
            for model, ensemble in gender_ensembles().items():
                requests = [triton_request(ensemble, user) for user in users]
                scored += ({"model": model, **row} for row in score_users(server, requests))
        return Measurement(rows, {"scored": records(pd.DataFrame(scored).round(1))})

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        users, ensembles = synthetic_users(args.users, args.seed), gender_ensembles()
        for number in range(args.rounds):
            with running_gender_models() as server:
                for clients, (model, ensemble) in product(args.clients, ensembles.items()):
                    requests = [triton_request(ensemble, user) for user in users]
                    figures = _measure(server, requests, clients, args.seconds)
                    yield {"round": number, "model": model, "clients": clients, **figures}

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        for model, rows in _scored(measurement).groupby("model", sort=False):
            filled, end = rows["together"][rows["users"] >= FILLED].iloc[0], rows["together"].iloc[-1]
            users = rows["users"].iloc[-1]
            figure = f"{filled:.0f} MB after {FILLED:,}, {end:.0f} MB after {users:,.0f}"
            is_met = users >= max(SCORED) and end <= FLAT * filled
            yield Goal(f"{model}: memory flat over {max(SCORED):,} requests", figure, bool(is_met))

    def table(self, measurement: Measurement) -> str:
        scored = _scored(measurement)
        scored_columns = {name: f"{{{name}:.0f}}" for name in scored.columns if name != "model"}
        capacity_columns = {
            "model": "{model}",
            "million users a day": "{users_a_day:.1f}",
            "machine hours for ten million": "{machine_h:.1f}",
            "core hours for ten million": "{core_h:.1f}",
        }
        return f"""Values are medians of the rounds; throughput has its range.

{table(self.summarize(measurement.rows), {"model": "{model}", "clients": "{clients}", **self.columns})}

Users scored without a pause, {CONCURRENCY} at once, and the memory of all of Triton's processes afterwards, MB:

{table(scored, {"model": "{model}", **scored_columns})}

What this machine does at {BUSY:.0%} of its highest throughput, and what ten million users cost:

{table(capacities(measurement.rows), capacity_columns)}"""

    def chart(self, measurement: Measurement) -> Figure:
        arms, scored = self.summarize(measurement.rows), _scored(measurement)
        figure = Figure(figsize=(WIDTH, 3.4))
        latency, cpu, memory = figure.subplots(1, 3)
        plot_latency(latency, arms, x="clients", thing="model")
        plot_lines(cpu, arms, x="clients", y="cpu_ms", thing="model")
        plot_lines(memory, scored, x="users", y="together", thing="model")
        cpu.set_ylabel("CPU ms per request")
        memory.set_ylabel("memory, MB")
        for axes, amount, ticks in (
            (latency, "clients", [*arms["clients"].unique()]),
            (cpu, "clients", [*arms["clients"].unique()]),
            (memory, "users scored", SCORED),
        ):
            axes.set_xlabel(amount)
            log_x(axes, ticks)
        shared_legend(figure)
        return figure


def score_users(server: Server, requests: Sequence[Request]) -> Iterator[Row]:
    """Answer more and more users; yields the seconds since the first, and the memory of each process, MB."""
    start, done = perf_counter(), 0.0
    for count in SCORED:
        while done < count:
            seconds = min(2.0, (count - done) / 200)
            done += closed_loop(server.http_url, requests, CONCURRENCY, seconds)["answers"]
        yield {"users": done, "seconds": perf_counter() - start, **pss_mb(server.process.pid)}


def capacities(rows: pd.DataFrame) -> pd.DataFrame:
    """Return by model the highest throughput of this machine, and what follows from it.

    Columns: `per_s` and `cpu_ms` at the highest throughput (medians of the rounds), `users_a_day` (millions at `BUSY`),
    `machine_h` and `core_h` (hours of this machine and of one core for `USERS` users).
    """
    best = rows.loc[rows.groupby(["round", "model"])["per_s"].idxmax()]
    capacity = best.groupby("model", sort=False)[["per_s", "cpu_ms"]].median()
    capacity["users_a_day"] = BUSY * capacity["per_s"] * DAY_S / 1e6
    capacity["machine_h"] = USERS / (BUSY * capacity["per_s"]) / 3600
    capacity["core_h"] = USERS * capacity["cpu_ms"] / 1000 / 3600
    return capacity.reset_index()


def _measure(server: Server, requests: Sequence[Request], clients: int, seconds: float) -> Row:
    closed_loop(server.http_url, requests, clients, seconds / 4)
    cpu = cpu_seconds(server.process.pid)
    figures = closed_loop(server.http_url, requests, clients, seconds)
    return {**figures, "cpu_ms": 1000 * (cpu_seconds(server.process.pid) - cpu) / figures["answers"]}


def _scored(measurement: Measurement) -> pd.DataFrame:
    """Return the scored users; the memory of all processes together is in `together`, MB."""
    scored = pd.DataFrame(measurement.metadata["scored"])
    return scored.assign(together=scored.drop(columns=["model", "users", "seconds"]).sum(axis=1))
