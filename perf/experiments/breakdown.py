"""How the time of one answer divides into steps."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Final

from server.launch.process import Server
from server.triton_control import TritonControl

from ..load import baselines, perf_analyzer
from ..load.baselines import network_alone, prepare
from ..load.served import REPOSITORY, gender_ensembles, running_gender_models
from ..load.workload import perf_analyzer_data, synthetic_users
from ..report.experiment import Measurement
from ..report.markdown import table
from ..report.rounds import RoundsExperiment, Row

# Triton's parts of a step: waiting, copying in, the work of the stub and the way there and back, copying out.
PARTS: Final = ("queue", "compute_input", "compute_infer", "compute_output")

Statistics = Mapping[str, Mapping[str, float]]  # by model: requests as `count`, nanoseconds of each part


class Breakdown(RoundsExperiment):
    """Compare Triton's statistics of every step with the time that the work of the step takes alone.

    One client at a time.
    """

    name = "breakdown"
    title = "Where the time goes"
    arm = ("model",)
    about = """\
Mean milliseconds of an answer over gRPC to one client, medians of the rounds. `alone` is the same work in a process
that does nothing else. `queue` to `compute_output` are Triton's statistics; `compute_infer` is the work in the stub,
with caches that others have used meanwhile, and the way to the stub and back. `rest` is protocol, ensemble and
client."""

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        users, ensembles = synthetic_users(args.users, args.seed), gender_ensembles()
        alone = {model: network_alone(REPOSITORY, model, users) for model in ensembles}
        with running_gender_models() as server, perf_analyzer_data(users) as data:
            for number, (model, run) in product(range(args.rounds), alone.items()):
                preprocessing = baselines.measure(lambda index: prepare(users[index]), len(users), args.seconds)
                network = baselines.measure(run, len(users), args.seconds)
                before = _statistics(server)
                figures = perf_analyzer.measure(server, ensembles[model], "grpc", data, args.seconds)
                steps, whole = _step_ms(before, _statistics(server), model), 1000 / figures["per_s"]
                yield {
                    "round": number,
                    "model": model,
                    "preprocess alone": preprocessing["cpu_ms"],
                    "model alone": network["cpu_ms"],
                    **steps,
                    "rest": whole - sum(steps.values()),
                    "whole": whole,
                }

    def table(self, measurement: Measurement) -> str:
        arms = self.summarize(measurement.rows).set_index("model")
        columns = {"part": "{part}", **{model: f"{{{model}:.2f}}" for model in arms.index}}
        return f"{self.about}\n\n{table(arms.T.rename_axis('part').reset_index(), columns)}"


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
    return {
        model.name: {
            "count": model.inference_stats.success.count,
            **{part: getattr(model.inference_stats, part).ns for part in PARTS},
        }
        for model in TritonControl(server.grpc_url).statistics()
    }
