"""An experiment that measures nothing: `--latency-ms` says what it finds."""

import argparse
from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from perf.report.experiment import Charted, Experiment, Goal, Measurement, MeasurementError
from perf.report.runner import positive


class Toy(Experiment, Charted):
    """Measure a toy."""

    name = "toy"
    title = "A toy"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--latency-ms", type=positive, default=4)

    def measure(self, args: argparse.Namespace) -> Measurement:
        if args.latency_ms > 100:
            raise MeasurementError("the toy broke")
        rows = pd.DataFrame({"round": [0, 1], "p50_ms": [args.latency_ms, None]})
        return Measurement(rows, {"ready_s": 2.5})

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        latency_ms = measurement.rows["p50_ms"].iloc[0]
        yield Goal("p50 at most 5 ms", f"{latency_ms:.1f} ms", bool(latency_ms <= 5))

    def table(self, measurement: Measurement) -> str:
        return f"Ready after {measurement.metadata['ready_s']} s."

    def chart(self, measurement: Measurement) -> Figure:
        figure = Figure()
        figure.subplots().plot(measurement.rows["p50_ms"])
        return figure

    def failure(self, measurement: Measurement) -> str:
        return "the toy is slow" if measurement.rows["p50_ms"].iloc[0] > 50 else ""
