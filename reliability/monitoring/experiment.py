"""Monitoring as an experiment: does Prometheus count what was sent?"""

import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from figures.axes import legend_beside
from figures.style import WIDTH, theme
from perf.load.served import REPOSITORY, running_gender_models
from perf.report.charts import THIN, Line, plot_columns
from perf.report.experiment import Charted, Experiment, Goal, Measurement
from perf.report.markdown import table
from perf.report.runner import add_users, positive

from .instrumented_client import InstrumentedClient, LoadPhase, running_client
from .prometheus import Prometheus, running_prometheus
from .queries import COUNTS, SERIES

# Triton exports latency percentiles only with this flag.
SUMMARIES: Final = "--metrics-config=summary_latencies=true"
PANELS: Final = {
    "requests per second": {
        "answered_per_s": Line("answered", "answered"),
        "refused_per_s": Line("refused", "refused"),
    },
    "ms": {
        "client_p50_ms": Line("client, p50", "sdk"),
        "client_p99_ms": Line("client, p99", "sdk", THIN),
        "model_p50_ms": Line("backbone, p50", "Triton"),
        "model_p99_ms": Line("backbone, p99", "Triton", THIN),
    },
    "requests": {"waiting": Line("waiting", "waiting")},
    "share": {
        "no_avatar": Line("without avatar", "avatar"),
        "no_nickname": Line("without nickname", "nickname"),
        "unknown": Line("unknown", "unknown"),
    },
}
Counts = Mapping[str, int]


class Monitoring(Experiment, Charted):
    """Load Triton from an instrumented client, and compare what Prometheus counts with what was sent.

    Three phases: one client, many clients, and many clients that send invalid inputs. Needs Prometheus.
    """

    name = "monitoring"
    title = "Monitoring"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_users(parser)
        parser.add_argument("--seconds", type=positive, default=60, help="length of each phase")
        parser.add_argument("--clients", type=positive, default=8, help="concurrent clients of the busy phases")

    def measure(self, args: Any) -> Measurement:
        with ExitStack() as stack:
            server = stack.enter_context(running_gender_models(REPOSITORY, SUMMARIES))
            client = stack.enter_context(running_client(server, args.users, args.seed))
            targets = {"triton": [server.metrics_url], "product": [client.metrics_url]}
            prometheus = stack.enter_context(running_prometheus(targets))
            return record(prometheus, client, load_phases(args.clients, args.seconds))

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        sent = measurement.metadata["sent"]
        for counter, counted in measurement.metadata["counted"].items():
            wrong = [name for name, number in counted.items() if number != sent[name]]
            figure = f"{len(wrong)} of {len(counted)} counts differ, of {sum(sent[name] for name in counted):,} events"
            yield Goal(f"Prometheus counts every event of the {counter}", figure, not wrong)

    def table(self, measurement: Measurement) -> str:
        medians = measurement.rows.groupby("phase", sort=False)[list(SERIES)].median().T
        columns = {"series": "{series}", **{str(phase): f"{{{phase}:.4g}}" for phase in medians}}
        sent, counted = measurement.metadata["sent"], measurement.metadata["counted"]
        events = [
            {"event": name, "sent": number, **{counter: counts.get(name) for counter, counts in counted.items()}}
            for name, number in sent.items()
        ]
        counters = {f"counted by the {counter}": f"{{{counter}}}" for counter in counted}
        return f"""Medians of each phase, as Prometheus reports them. Shares are of the answered requests.

{table(medians.rename_axis("series").reset_index(), columns)}

Events that the client sent, and how many of them were counted:

{table(events, {"event": "{event}", "sent": "{sent}", **counters})}"""

    def chart(self, measurement: Measurement) -> Figure:
        rows = measurement.rows
        phases = rows.groupby("phase", sort=False)["second"].agg(["min", "max"])
        figure = Figure(figsize=(WIDTH, 7.6))
        panels = figure.subplots(len(PANELS), 1, sharex=True)
        for axes, (label, lines) in zip(panels, PANELS.items(), strict=True):
            plot_columns(axes, rows["second"], rows, lines)
            for start in phases["min"]:
                axes.axvline(start, color=theme().muted, linewidth=1)
            axes.set(ylabel=label, ylim=(0, None))
            legend_beside(axes)
        for phase, start in phases["min"].items():
            panels[0].text(start, 1.03, f"{phase} →", transform=panels[0].get_xaxis_transform(), color=theme().muted)
        panels[-1].set_xlabel("seconds")
        return figure

    def failure(self, measurement: Measurement) -> str:
        return (
            "" if all(goal.met for goal in self.goals(measurement)) else "Prometheus counts other events than were sent"
        )


def load_phases(clients: int, seconds: float) -> list[LoadPhase]:
    return [
        LoadPhase("quiet", 1, 0.02, seconds),
        LoadPhase("busy", clients, 0.02, seconds),
        LoadPhase("garbage", clients, 0.3, seconds),
    ]


def record(prometheus: Prometheus, client: InstrumentedClient, phases: Sequence[LoadPhase]) -> Measurement:
    """Run the phases, and read every second of `SERIES` and the increase of `COUNTS` from Prometheus.

    Raises:
        MeasurementError: The client exited, or Prometheus cannot scrape.
    """
    tables, sent, before = [], Counter[str](), _counts(prometheus)
    for phase in phases:
        start_s = time.time()
        sent += client.run(phase)
        prometheus.wait_for_scrape(time.time())
        tables.append(_series(prometheus, phase, start_s, time.time()))
    after = _counts(prometheus)
    rows = pd.concat(tables)
    rows.insert(1, "second", rows.index - rows.index[0])
    counted = {
        counter: {name: after[counter][name] - before[counter][name] for name in names}
        for counter, names in COUNTS.items()
    }
    return Measurement(
        rows.reset_index(drop=True), {"sent": {name: sent[name] for name in COUNTS["server"]}, "counted": counted}
    )


def _counts(prometheus: Prometheus) -> dict[str, Counts]:
    # Triton updates its counters shortly after it answers.
    prometheus.wait_for_scrape(time.time() + 1)
    return {
        counter: {name: round(prometheus.value(query)) for name, query in queries.items()}
        for counter, queries in COUNTS.items()
    }


def _series(prometheus: Prometheus, phase: LoadPhase, start_s: float, end_s: float) -> pd.DataFrame:
    rows = pd.DataFrame({name: prometheus.over_time(query, start_s, end_s) for name, query in SERIES.items()})
    rows.insert(0, "phase", phase.name)
    return rows
