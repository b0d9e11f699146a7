"""Latency, throughput and CPU of both backbones, over both protocols, by more and more clients.

    python -m perf.experiments.latency

Every round has all arms in turn, and with them what the same work costs without a server. Writes
`results/sweep.{csv,json,md,png}`: every measure, their medians, and the plot.
"""

import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from server.launch.process import ROOT, Server, StartError, running_triton

from ..load import baselines as fixed_points
from ..load import perf_analyzer
from ..load.baselines import MODELS
from ..load.perf_analyzer import Load, PerfAnalyzerError
from ..load.workload import User, users, write_perf_analyzer_data
from ..report.command import arguments, circumstances, write

BARE: Final = "ONNX Runtime"
# A load like that of a busy hour: requests come by themselves, at this share of the most that was answered.
BUSY: Final = 0.7
AT_RATE: Final = f"grpc, {BUSY:.0%} load"
ARM: Final = ["model", "how", "clients"]
FIGURES: Final = ["per_s", *(f"p{rank}_ms" for rank in perf_analyzer.PERCENTILES), "cpu_ms"]


def sweep(server: Server, load: Sequence[User], clients: Sequence[int], rounds: int, seconds: float) -> pd.DataFrame:
    """Measure all arms in turn: one row for each round and arm.

    Raises:
        PerfAnalyzerError: perf_analyzer is not installed, or a request failed.
    """
    points = {model: fixed_points.points(ROOT / "model_repository", model, load) for model in MODELS}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = write_perf_analyzer_data(load, Path(folder) / "users.json")
        for number in range(rounds):
            for model, answers in points.items():
                for how, answer in answers.items():
                    found = fixed_points.measure(answer, len(load), seconds)
                    rows.append({"round": number, "model": model, "how": how, "clients": 1, **found})
                served = _served(server, model, clients, data, seconds)
                rows += [{"round": number, "model": model, **row} for row in served]
            print(f"round {number + 1} of {rounds}", flush=True)
    return pd.DataFrame(rows)


def _served(server: Server, model: str, clients: Sequence[int], data: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """A model's figures over both protocols by more and more clients, then at a share of the most that it answered."""
    best = 0.0
    for protocol, at_once in product(perf_analyzer.PROTOCOLS, clients):
        found = perf_analyzer.measure(server, Load(f"gender_{model}", protocol, at_once), data, seconds)
        best = max(best, found["per_s"])
        yield {"how": protocol, "clients": at_once, **found}
    found = perf_analyzer.measure(server, Load(f"gender_{model}", "grpc", rate=BUSY * best), data, seconds)
    yield {"how": AT_RATE, "clients": 0, **found}


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """By arm the median over the rounds; of p50 also its range, and how it stands to bare ONNX Runtime's."""
    bare = rows[rows["how"] == BARE][["round", "model", "p50_ms"]].rename(columns={"p50_ms": "bare_ms"})
    compared = rows.merge(bare, on=["round", "model"])
    compared = compared.assign(
        ratio=compared["p50_ms"] / compared["bare_ms"], over_bare_ms=compared["p50_ms"] - compared["bare_ms"]
    )
    by_arm = compared.groupby(ARM, sort=False)
    found = by_arm[[*FIGURES, "ratio", "over_bare_ms"]].median()
    found["p50_low_ms"], found["p50_high_ms"] = by_arm["p50_ms"].min(), by_arm["p50_ms"].max()
    return found.reset_index()


def markdown(found: pd.DataFrame) -> str:
    """The document, from what `summarize` returned."""
    lines = [
        f"| {row['model']} | {row['how']} | {row['clients'] or ''} "
        f"| {row['p50_ms']:.1f} ({row['p50_low_ms']:.1f} to {row['p50_high_ms']:.1f}) | {row['p99_ms']:.1f} "
        f"| {row['ratio']:.2f} | {row['over_bare_ms']:+.1f} | {row['per_s']:.0f} | {row['cpu_ms']:.1f} |"
        for row in found.to_dict("records")
    ]
    return f"""# Latency and throughput

Written by `python -m perf.experiments.latency`, like `sweep.json` beside it, which has machine, date and seed, and `sweep.csv`,
which has every round. Medians of the rounds, p50 with its range; `ratio` and `over bare` compare p50 with that of
{BARE} alone in the same round. The load generator runs on the same cores.

| model | how | clients | p50 ms | p99 ms | ratio | over bare ms | a second | CPU ms a request |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(lines)}
"""


def chart(found: pd.DataFrame) -> Figure:
    """Latency over throughput, one line for each model and protocol, and bare ONNX Runtime as a point."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for (model, how), arm in found.groupby(["model", "how"], sort=False):
        if how in perf_analyzer.PROTOCOLS:
            (line,) = axes.plot(arm["per_s"], arm["p50_ms"], "o-", label=f"{model}, {how}, p50")
            axes.plot(arm["per_s"], arm["p99_ms"], "o:", color=line.get_color(), label=f"{model}, {how}, p99")
        elif how == BARE:
            axes.plot(arm["per_s"], arm["p50_ms"], "k*", markersize=12)
            axes.annotate(f"{BARE}, {model}", (arm["per_s"].iloc[0], arm["p50_ms"].iloc[0]), fontsize=8)
    axes.set(xlabel="answers a second", ylabel="ms", yscale="log", title="Latency and throughput, 1 client to many")
    axes.legend(frameon=False, fontsize=8, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    args = arguments(__doc__, clients=[1, 2, 4, 8, 16, 32])
    about = circumstances(args)
    try:
        load, start = users(args.users, args.seed), perf_counter()
        with running_triton(ROOT / "model_repository") as server:
            about["ready_s"] = round(perf_counter() - start, 1)
            rows = sweep(server, load, args.clients, args.rounds, args.seconds)
    except (PerfAnalyzerError, StartError) as exc:
        raise SystemExit(f"sweep: {exc}") from exc
    report(rows, about, args.results)
    print((args.results / "sweep.md").read_text())


def report(rows: pd.DataFrame, about: dict[str, Any], results: Path) -> None:
    """Write the table, the medians, the document and the plot to the folder `results`."""
    found = summarize(rows)
    write("sweep", rows, markdown(found), results, **about, arms=found.round(4).to_dict("records"))
    chart(found).savefig(results / "sweep.png", dpi=110)


if __name__ == "__main__":
    main()
