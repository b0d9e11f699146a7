"""How the time of one answer divides into steps."""

import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from server.launch.process import Server, running_triton
from server.triton_control import TritonControl

from ..load import baselines, perf_analyzer
from ..load.baselines import Tensors, onnx_runtime, preprocess
from ..load.perf_analyzer import InferenceLoad
from ..load.served import REPOSITORY, gender_ensembles
from ..load.workload import SyntheticUser, synthetic_users, write_perf_analyzer_data
from ..report.experiment import Experiment, Measurement
from ..report.markdown import table
from ..report.runner import add_rounds

# Triton's parts of a step: waiting, copying in, the work of the stub and the way there and back, copying out.
PARTS: Final = ("queue", "compute_input", "compute_infer", "compute_output")

Statistics = Mapping[str, Mapping[str, float]]


class Breakdown(Experiment):
    """Compare Triton's statistics of every step with the time that the work of the step takes alone.

    One client at a time.
    """

    name = "breakdown"
    title = "Where the time goes"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_rounds(parser)

    def measure(self, args: Any) -> Measurement:
        with running_triton(REPOSITORY) as server:
            users = synthetic_users(args.users, args.seed)
            return Measurement(measure_parts(server, users, args.rounds, args.seconds), {})

    def table(self, measurement: Measurement) -> str:
        by_model = measurement.rows.drop(columns="round").groupby("model", sort=False).median()
        columns = {"part": "{part}", **{model: f"{{{model}:.2f}}" for model in by_model.index}}
        return f"""Mean milliseconds of an answer over gRPC to one client, medians of the rounds. `alone` is the same work in a process
that does nothing else. `queue` to `compute_output` are Triton's statistics; `compute_infer` is the work in the stub, with
caches that others have used meanwhile, and the way to the stub and back. `rest` is protocol, ensemble and client.

{table(by_model.T.rename_axis("part").reset_index(), columns)}"""


def measure_parts(server: Server, users: Sequence[SyntheticUser], rounds: int, seconds: float) -> pd.DataFrame:
    """Measure the mean milliseconds of each part; returns one row per round and model."""
    rows: list[dict[str, Any]] = []
    prepared = [preprocess(user) for user in users]
    ensembles = gender_ensembles()
    alone = {model: _indexed(onnx_runtime(REPOSITORY, model), prepared) for model in ensembles}
    with tempfile.TemporaryDirectory() as folder:
        data = write_perf_analyzer_data(users, Path(folder) / "users.json")
        for number in range(rounds):
            for model, run in alone.items():
                work = {
                    "preprocess alone": baselines.measure(lambda i: preprocess(users[i]), len(users), seconds)[
                        "cpu_ms"
                    ],
                    "model alone": baselines.measure(run, len(users), seconds)["cpu_ms"],
                }
                before = _statistics(server)
                load = InferenceLoad(ensembles[model], "grpc")
                whole = 1000 / perf_analyzer.measure(server, load, data, seconds)["per_s"]
                steps = _step_ms(before, _statistics(server), model)
                rest = whole - sum(steps.values())
                rows.append({"round": number, "model": model, **work, **steps, "rest": rest, "whole": whole})
            print(f"round {number + 1} of {rounds}", flush=True)
    return pd.DataFrame(rows)


def _indexed(run: Callable[[Tensors], object], prepared: Sequence[Tensors]) -> Callable[[int], object]:
    return lambda index: run(prepared[index])


def _step_ms(before: Statistics, after: Statistics, model: str) -> dict[str, float]:
    """Return the mean milliseconds of each step and part between two statistics."""
    return {
        f"{step} {part}": (after[name][part] - before[name][part])
        / (after[name]["count"] - before[name]["count"])
        / 1e6
        for step, name in {"preprocess": "preprocess", "model": model}.items()
        for part in PARTS
    }


def _statistics(server: Server) -> Statistics:
    """Return by model the number of successful requests so far and the nanoseconds of each part."""
    return {
        model.name: {
            "count": model.inference_stats.success.count,
            **{part: getattr(model.inference_stats, part).ns for part in PARTS},
        }
        for model in TritonControl(server.grpc_url).statistics()
    }
