"""Latency, throughput and CPU of all backbones as the number of clients grows."""

from collections.abc import Iterator
from itertools import product
from time import perf_counter
from typing import Any, ClassVar, Final

import pandas as pd
from matplotlib.figure import Figure

from figures.axes import shared_legend
from figures.colors import colors_of
from figures.style import WIDTH
from server.launch.process import running_triton

from ..load import baselines, perf_analyzer
from ..load.perf_analyzer import PROTOCOLS
from ..load.served import REPOSITORY, gender_ensembles, running_gender_models
from ..load.workload import perf_analyzer_data, synthetic_users
from ..report.charts import plot_latency
from ..report.experiment import Charted, Goal, Measurement
from ..report.rounds import RoundsExperiment, Row, compare

BARE: Final = "ONNX Runtime"
# A busy hour: requests arrive independently, at this share of the highest throughput.
BUSY: Final = 0.7
AT_RATE: Final = f"grpc, {BUSY:.0%} load"
OVER_BARE_MS: Final = 1.2
TAIL: Final = 3
READY_S: Final = 8


class Latency(RoundsExperiment, Charted):
    """Measure latency, throughput and CPU of all backbones over both protocols with 1 to many clients.

    Every round measures all arms in turn, among them baselines without a server.
    """

    name = "latency"
    title = "Latency and throughput"
    clients = (1, 2, 4, 8, 16, 32)
    arm = ("model", "how", "clients")
    spread = ("p50_ms",)
    about = f"""\
The article reports 85 ms per request with DenseNet121 and 25 ms with MobileNetV2, on 8 cores and at 224 pixels. Its
engine, TensorFlow in process, is measured here at the size that this repository serves.

Values are medians of the rounds; p50 has its range. `ratio` and `over bare` compare p50 with that of {BARE} alone in
the same round."""
    columns: ClassVar = {
        "model": "{model}",
        "how": "{how}",
        "clients": "{clients}",
        "p50 ms": "{p50_ms:.1f} ({p50_ms_low:.1f} to {p50_ms_high:.1f})",
        "p99 ms": "{p99_ms:.1f}",
        "ratio": "{p50_ms_ratio:.2f}",
        "over bare ms": "{p50_ms_difference:+.1f}",
        "per second": "{per_s:.0f}",
        "CPU ms per request": "{cpu_ms:.1f}",
    }

    def measure(self, args: Any) -> Measurement:
        start = perf_counter()
        with running_triton(REPOSITORY):
            ready_s = round(perf_counter() - start, 1)
        return Measurement(super().measure(args).rows, {"ready_s": ready_s})

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        users, ensembles = synthetic_users(args.users, args.seed), gender_ensembles()
        functions = {model: baselines.baselines(REPOSITORY, model, users) for model in ensembles}
        with running_gender_models() as server, perf_analyzer_data(users) as data:
            for number, (model, ensemble) in product(range(args.rounds), ensembles.items()):
                arm = {"round": number, "model": model}
                for how, answer in functions[model].items():
                    yield {**arm, "how": how, "clients": 1, **baselines.measure(answer, len(users), args.seconds)}
                best = 0.0
                for protocol, clients in product(PROTOCOLS, args.clients):
                    figures = perf_analyzer.measure(server, ensemble, protocol, data, args.seconds, clients)
                    best = max(best, figures["per_s"])
                    yield {**arm, "how": protocol, "clients": clients, **figures}
                figures = perf_analyzer.measure(server, ensemble, "grpc", data, args.seconds, rate_per_s=BUSY * best)
                yield {**arm, "how": AT_RATE, "clients": 0, **figures}

    def summarize(self, rows: pd.DataFrame) -> pd.DataFrame:
        bare = rows[rows["how"] == BARE]
        arms = super().summarize(compare(rows, bare, on=["round", "model"], figures=["p50_ms"]))
        return arms.assign(clients=arms["clients"].astype(object).where(arms["clients"] > 0))

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        arms = self.summarize(measurement.rows)
        single = arms[arms["how"].isin(PROTOCOLS) & (arms["clients"] == 1)]
        for model, over_ms in single.groupby("model", sort=False)["p50_ms_difference"].min().items():
            text = f"{model}, one client: p50 at most {OVER_BARE_MS} ms over bare ONNX Runtime"
            yield Goal(text, f"{over_ms:+.1f} ms", over_ms <= OVER_BARE_MS)
        for arm in arms[arms["how"] == AT_RATE].to_dict("records"):
            tail = arm["p99_ms"] / arm["p50_ms"]
            text = f"{arm['model']}, {BUSY:.0%} load: p99 at most {TAIL} times p50"
            yield Goal(text, f"{tail:.1f} times ({arm['p99_ms']:.1f} ms)", tail <= TAIL)
        ready_s = measurement.metadata["ready_s"]
        yield Goal(f"ready within {READY_S} s of launch", f"{ready_s:g} s", ready_s <= READY_S)

    def chart(self, measurement: Measurement) -> Figure:
        arms = self.summarize(measurement.rows)
        figure = Figure(figsize=(WIDTH, 5))
        axes = figure.subplots()
        plot_latency(axes, arms[arms["how"].isin(PROTOCOLS)], x="per_s", thing="model", variant="how")
        colors = colors_of(arms["model"])
        for bare in arms[arms["how"] == BARE].to_dict("records"):
            star: dict[str, Any] = {
                "color": colors[bare["model"]],
                "marker": "*",
                "markersize": 14,
                "linestyle": "none",
            }
            axes.plot(bare["per_s"], bare["p50_ms"], **star, label=f"{bare['model']}, {BARE} alone")
        axes.set_xlabel("answers per second, with more and more clients")
        shared_legend(figure, columns=3)
        return figure
