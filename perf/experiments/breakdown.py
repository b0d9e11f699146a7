"""Where the time of one answer goes: Triton's own statistics of every step beside what the step's work takes alone.

    python -m perf.experiments.breakdown

One client, all in turn. Writes `results/breakdown.{csv,json,md}`.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from server.launch.process import ROOT, Server, StartError, running_triton
from server.triton_control import TritonControl

from ..load import perf_analyzer
from ..load.baselines import MODELS, Inputs, measure, onnx_runtime, prepare
from ..load.perf_analyzer import Load, PerfAnalyzerError
from ..load.workload import User, users, write_perf_analyzer_data
from ..report.command import arguments, circumstances, write

# Triton's parts of a step: waiting, copying in, the stub's work and the way there and back, copying out.
PARTS: Final = ("queue", "compute_input", "compute_infer", "compute_output")

Times = Mapping[str, Mapping[str, float]]


def break_down(server: Server, load: Sequence[User], rounds: int, seconds: float) -> pd.DataFrame:
    """Mean milliseconds by round and model: each step alone in this process (`… alone`), in Triton by part, the rest.

    Raises:
        PerfAnalyzerError: perf_analyzer is not installed, or a request failed.
    """
    rows: list[dict[str, Any]] = []
    prepared = [prepare(user) for user in load]
    alone = {model: _alone(onnx_runtime(ROOT / "model_repository", model), prepared) for model in MODELS}
    with tempfile.TemporaryDirectory() as folder:
        data = write_perf_analyzer_data(load, Path(folder) / "users.json")
        for number in range(rounds):
            for model, run in alone.items():
                work = {
                    "preprocess alone": measure(lambda index: prepare(load[index]), len(load), seconds)["cpu_ms"],
                    "model alone": measure(run, len(load), seconds)["cpu_ms"],
                }
                before = _statistics(server)
                whole = 1000 / perf_analyzer.measure(server, Load(f"gender_{model}", "grpc"), data, seconds)["per_s"]
                inside = _spent(before, _statistics(server), model)
                rest = whole - sum(inside.values())
                rows.append({"round": number, "model": model, **work, **inside, "rest": rest, "whole": whole})
            print(f"round {number + 1} of {rounds}", flush=True)
    return pd.DataFrame(rows)


def _alone(run: Callable[[Inputs], object], prepared: Sequence[Inputs]) -> Callable[[int], object]:
    return lambda index: run(prepared[index])


def _spent(before: Times, after: Times, model: str) -> dict[str, float]:
    """Milliseconds an answer between two statistics, by step and part."""
    steps = {"preprocess": "preprocess", "model": model}
    return {
        f"{step} {part}": (after[name][part] - before[name][part])
        / (after[name]["count"] - before[name]["count"])
        / 1e6
        for step, name in steps.items()
        for part in PARTS
    }


def _statistics(server: Server) -> Times:
    """By model the successful requests so far, and the nanoseconds of each part."""
    return {
        model.name: {
            "count": model.inference_stats.success.count,
            **{part: getattr(model.inference_stats, part).ns for part in PARTS},
        }
        for model in TritonControl(server.grpc_url).statistics()
    }


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """By model the median of the rounds, a row for each part, in the order in which an answer goes through them."""
    found = rows.drop(columns="round").groupby("model", sort=False).median().T
    return found.rename_axis("part").reset_index()


def markdown(found: pd.DataFrame) -> str:
    """The document, from what `summarize` returned."""
    models = [name for name in found.columns if name != "part"]
    lines = [f"| {row['part']} | {' | '.join(f'{row[m]:.2f}' for m in models)} |" for row in found.to_dict("records")]
    return f"""# Where the time goes

Written by `python -m perf.experiments.breakdown`, like `breakdown.json` beside it, which has machine, date and seed, and
`breakdown.csv`, which has every round. Mean milliseconds of an answer over gRPC to one client, medians of the rounds.
`alone` is the same work in one process that does nothing else; `queue` to `compute_output` are Triton's statistics;
`compute_infer` is the work in the stub, on caches that others have used meanwhile, and the way to the stub and back;
`rest` is protocol, ensemble and client.

| part | {" | ".join(models)} |
|---|{"---|" * len(models)}
{chr(10).join(lines)}
"""


def main() -> None:
    args = arguments(__doc__)
    about = circumstances(args)
    try:
        with running_triton(ROOT / "model_repository") as server:
            rows = break_down(server, users(args.users, args.seed), args.rounds, args.seconds)
    except (PerfAnalyzerError, StartError) as exc:
        raise SystemExit(f"breakdown: {exc}") from exc
    found = summarize(rows)
    write("breakdown", rows, markdown(found), args.results, **about, parts=found.round(4).to_dict("records"))
    print((args.results / "breakdown.md").read_text())


if __name__ == "__main__":
    main()
