"""The present models beside those of an earlier commit."""

import io
import subprocess
import tarfile
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Final

import pandas as pd

from server.checksums import record_all
from server.launch.process import ROOT

from ..load import perf_analyzer
from ..load.served import REPOSITORY, gender_ensembles, running_gender_models
from ..load.workload import perf_analyzer_data, synthetic_users
from ..report.experiment import Goal, Measurement, MeasurementError
from ..report.rounds import RoundsExperiment, Row, compare, rotated

# The last commit that served version 2 of both backbones.
VERSION_2: Final = "6486178da15adad2d3b6b64a8ded1b138260fffe"
PRESENT: Final = "present"
EARLIER: Final = "earlier"
GOAL_MODEL: Final = "mobilenet"
GOAL_CLIENTS: Final = (8, 32)
GOAL_RATIO: Final = 1.3


class Earlier(RoundsExperiment):
    """Measure the present gender ensembles beside those of an earlier commit, in turn.

    Both run at once, each in a Triton of its own with the present launcher; only one has load at a time. By default,
    the commit is the last one that served version 2. It must be in the clone: shallow ones lack it.
    """

    name = "earlier"
    title = "Beside an earlier commit"
    clients = (1, 8, 32)
    arm = ("model", "state", "clients")
    spread = ("ratio",)
    about = """\
`ratio` compares the answers per second with those of the earlier commit in the same round. Values are medians of the
rounds; the ratio has its range."""
    columns: ClassVar = {
        "model": "{model}",
        "state": "{state}",
        "clients": "{clients}",
        "p50 ms": "{p50_ms:.1f}",
        "p99 ms": "{p99_ms:.1f}",
        "per second": "{per_s:.0f}",
        "ratio": "{ratio:.2f} ({ratio_low:.2f} to {ratio_high:.2f})",
        "CPU ms per request": "{cpu_ms:.1f}",
    }

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--commit", default=VERSION_2, help="the earlier commit")

    def measure(self, args: Any) -> Measurement:
        return Measurement(super().measure(args).rows, {"commit": args.commit})

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        users = synthetic_users(args.users, args.seed)
        with (
            tempfile.TemporaryDirectory() as folder,
            perf_analyzer_data(users) as data,
            running_gender_models(_checkout(args.commit, Path(folder))) as earlier,
            running_gender_models() as present,
        ):
            servers = {EARLIER: earlier, PRESENT: present}
            for number, (model, ensemble), clients in product(
                range(args.rounds), gender_ensembles().items(), args.clients
            ):
                for state in rotated(servers, number):
                    figures = perf_analyzer.measure(servers[state], ensemble, "grpc", data, args.seconds, clients)
                    yield {"round": number, "model": model, "state": state, "clients": clients, **figures}

    def summarize(self, rows: pd.DataFrame) -> pd.DataFrame:
        earlier = rows[rows["state"] == EARLIER]
        rows = compare(rows, earlier, on=["round", "model", "clients"], figures=["per_s"])
        return super().summarize(rows.rename(columns={"per_s_ratio": "ratio"}))

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        arms, commit = self.summarize(measurement.rows), measurement.metadata["commit"]
        earlier = "version 2" if commit == VERSION_2 else commit
        for arm in arms[(arms["model"] == GOAL_MODEL) & (arms["state"] == PRESENT)].to_dict("records"):
            if arm["clients"] in GOAL_CLIENTS:
                text = f"{GOAL_MODEL}, {arm['clients']} clients: at least {GOAL_RATIO} times the answers of {earlier}"
                rounds = f"{arm['ratio_low']:.2f} to {arm['ratio_high']:.2f} in the rounds"
                yield Goal(text, f"{arm['ratio']:.2f} times ({rounds})", arm["ratio"] >= GOAL_RATIO)


def _checkout(commit: str, folder: Path) -> Path:
    """Write the model repository of a commit into a folder, and return its path there."""
    command = ["git", "archive", commit, REPOSITORY.name]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        raise MeasurementError(f"this clone lacks commit {commit}; run `git fetch --unshallow` or change --commit")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    # Earlier manifests list fewer files than the present launcher checks.
    record_all(folder / REPOSITORY.name)
    return folder / REPOSITORY.name
