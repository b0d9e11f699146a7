"""Latency, throughput and CPU of all backbones as the number of clients grows."""

import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from server.launch.process import Server, running_triton

from ..load import baselines, perf_analyzer
from ..load.perf_analyzer import PROTOCOLS, InferenceLoad
from ..load.served import REPOSITORY, gender_ensembles
from ..load.workload import SyntheticUser, synthetic_users, write_perf_analyzer_data
from ..report.charts import plot_latency
from ..report.experiment import Experiment, Goal, Measurement
from ..report.markdown import table
from ..report.rounds import compare, medians
from ..report.runner import add_rounds

BARE: Final = "ONNX Runtime"
# A busy hour: requests arrive independently, at this share of the highest throughput.
BUSY: Final = 0.7
AT_RATE: Final = f"grpc, {BUSY:.0%} load"
OVER_BARE_MS: Final = 1.2
TAIL: Final = 3
READY_S: Final = 8


class Latency(Experiment):
    """Measure latency, throughput and CPU of all backbones over both protocols with 1 to many clients.

    Every round measures all arms in turn, among them baselines without a server.
    """

    name = "latency"
    title = "Latency and throughput"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_rounds(parser, clients=[1, 2, 4, 8, 16, 32])

    def measure(self, args: Any) -> Measurement:
        users, start = synthetic_users(args.users, args.seed), perf_counter()
        with running_triton(REPOSITORY) as server:
            ready_s = round(perf_counter() - start, 1)
            rows = measure_arms(server, gender_ensembles(), users, args.clients, args.rounds, args.seconds)
        return Measurement(rows, {"ready_s": ready_s})

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        arms = summarize(measurement.rows)
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

    def table(self, measurement: Measurement) -> str:
        arms = summarize(measurement.rows)
        arms["clients"] = arms["clients"].replace(0, pd.NA)
        columns = {
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
        return f"""The article reports 85 ms per request with DenseNet121 and 25 ms with MobileNetV2, on 8 cores and at 224 pixels. Its
engine, TensorFlow in process, is measured here at the size that this repository serves.

Values are medians of the rounds; p50 has its range. `ratio` and `over bare` compare p50 with that of {BARE} alone in
the same round.

{table(arms, columns)}"""

    def chart(self, measurement: Measurement) -> Figure:
        arms = summarize(measurement.rows)
        figure = Figure(figsize=(9, 5))
        axes = figure.subplots()
        plot_latency(axes, arms[arms["how"].isin(PROTOCOLS)], x="per_s", by=["model", "how"])
        for bare in arms[arms["how"] == BARE].to_dict("records"):
            axes.plot(bare["per_s"], bare["p50_ms"], "k*", markersize=12)
            axes.annotate(f"{BARE}, {bare['model']}", (bare["per_s"], bare["p50_ms"]), fontsize=8)
        axes.set(xlabel="answers per second", title="Latency and throughput, 1 client to many")
        return figure


def measure_arms(
    server: Server,
    ensembles: Mapping[str, str],
    users: Sequence[SyntheticUser],
    clients: Sequence[int],
    rounds: int,
    seconds: float,
) -> pd.DataFrame:
    """Measure all arms in turn; returns one row per round and arm (`model`, `how`, `clients`)."""
    functions = {model: baselines.baselines(REPOSITORY, model, users) for model in ensembles}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = write_perf_analyzer_data(users, Path(folder) / "users.json")
        for number in range(rounds):
            for model, answers in functions.items():
                for how, answer in answers.items():
                    figures = baselines.measure(answer, len(users), seconds)
                    rows.append({"round": number, "model": model, "how": how, "clients": 1, **figures})
                served = _measure_served(server, ensembles[model], clients, data, seconds)
                rows += [{"round": number, "model": model, **row} for row in served]
            print(f"round {number + 1} of {rounds}", flush=True)
    return pd.DataFrame(rows)


def _measure_served(
    server: Server, ensemble: str, clients: Sequence[int], data: Path, seconds: float
) -> Iterator[dict[str, Any]]:
    """Measure both protocols with each number of clients, then Poisson arrivals at `BUSY` of the best throughput."""
    best = 0.0
    for protocol, concurrency in product(PROTOCOLS, clients):
        load = InferenceLoad(ensemble, protocol, concurrency)
        figures = perf_analyzer.measure(server, load, data, seconds)
        best = max(best, figures["per_s"])
        yield {"how": protocol, "clients": concurrency, **figures}
    load = InferenceLoad(ensemble, "grpc", rate_per_s=BUSY * best)
    yield {"how": AT_RATE, "clients": 0, **perf_analyzer.measure(server, load, data, seconds)}


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the medians of the rounds, with p50 compared to that of bare ONNX Runtime."""
    compared = compare(rows, rows[rows["how"] == BARE], on=["round", "model"], figures=["p50_ms"])
    return medians(compared, by=["model", "how", "clients"], spread=["p50_ms"])
