"""Throughput of `genderclient score` and `genderclient rank`: one process against Ray."""

import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import cycle, islice, product
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from server.launch.process import Server

from ..load.ranked_users import MODEL, ranked_users
from ..load.served import REPOSITORY, running_gender_models
from ..load.workload import synthetic_users
from ..report.experiment import Measurement, MeasurementError
from ..report.rounds import RoundsExperiment, Row
from ..report.runner import add_users, positive

# Each command, and what it calls a row that is done.
COMMANDS: Final = {"score": "scored", "rank": "ranked"}
ENGINES: Final = ("local", "ray")
FILES: Final = 4
# Liked pictures have the ids 1 to this.
PICTURES: Final = 400
# Ray starts its own cluster, whatever the environment says: both engines must use the same machine.
OWN_CLUSTER: Final = {"RAY_ADDRESS": ""}


class ScoringError(MeasurementError):
    """The command failed, or a row did."""


class OfflineScoring(RoundsExperiment):
    """Time both commands with one process and with Ray's workers on the same Parquet files.

    A whole command is timed on fewer and on more rows. The additional time of the longer run is its work; the rest is
    startup.
    """

    name = "offline_scoring"
    title = "Offline scoring"
    arm = ("command", "engine")
    spread = ("per_s",)
    about = """\
`genderclient score` of avatars and nicknames, and `genderclient rank` of stored embeddings with 50 liked pictures, on
the same Parquet files by one process (`local`) and by a Ray cluster of its own, in turn, with fewer and with more
rows. Values are medians of the rounds; the rate has its range.

Triton, client and Ray share the cores of one machine, so Ray's processes take CPU from Triton. This is the cost of
Ray; its benefit is that more machines with more servers can share the work."""
    columns: ClassVar = {
        "command": "{command}",
        "engine": "{engine}",
        "rows": "{rows:,}",
        "rows per second": "{per_s:.0f} ({per_s_low:.0f} to {per_s_high:.0f})",
        "startup s": "{ready_s:.1f}",
        "seconds": "{seconds:.1f}",
        "rows per second with startup": "{whole_per_s:.0f}",
    }

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rows", nargs=2, type=positive, default=[2_000, 20_000], help="fewer and more")
        parser.add_argument("--rounds", type=positive, default=3, help="runs of each engine on each table")
        add_users(parser)

    def measure(self, args: Any) -> Measurement:
        if args.rows[0] == args.rows[1]:
            raise ScoringError(f"--rows: expected two different counts, got {args.rows[0]} twice")
        rows = super().measure(args).rows
        self.summarize(rows)
        return Measurement(rows, {"counts": args.rows, "ray": version("ray")})

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        with (
            running_gender_models(REPOSITORY, f"--load-model={MODEL}") as server,
            tempfile.TemporaryDirectory() as folder,
        ):
            tables = {
                (command, count): write_dataset(rows, count, Path(folder, f"{command}_{count}"))
                for command, rows in users_of_commands(args.users, args.seed).items()
                for count in args.rows
            }
            for command in COMMANDS:  # warms the server up
                run_command(server, command, ENGINES[0], tables[command, args.rows[0]], args.rows[0])
            for number, ((command, count), dataset) in product(range(args.rounds), tables.items()):
                for engine in ENGINES[:: 1 if number % 2 else -1]:
                    seconds = run_command(server, command, engine, dataset, count)
                    yield {"round": number, "command": command, "engine": engine, "rows": count, "seconds": seconds}

    def summarize(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return one row per command and engine.

        Columns: `rows`, `seconds` and `whole_per_s` of the longer run; `per_s`, its additional rows by its additional
        seconds; `ready_s`, the time that remains for startup.

        Raises:
            ScoringError: The longer run took less time than the shorter one.
        """
        by_count = rows.pivot(index=[*self.arm, "round"], columns="rows", values="seconds")
        few, many = rows["rows"].min(), rows["rows"].max()
        runs = pd.DataFrame({"rows": many, "seconds": by_count[many], "whole_per_s": many / by_count[many]})
        runs["per_s"] = (many - few) / (by_count[many] - by_count[few])
        if (runs["per_s"] < 0).any():
            raise ScoringError(f"{many} rows took less time than {few}; give --rows that are further apart")
        runs["ready_s"] = by_count[few] - few / runs["per_s"]
        return super().summarize(runs.reset_index()).astype({"rows": int})


def users_of_commands(count: int, seed: int) -> dict[str, list[Row]]:
    """Return the rows of users that each command reads."""
    return {
        "score": [{"avatar": user.avatar or None, "nickname": user.nickname} for user in synthetic_users(count, seed)],
        "rank": [
            {
                "embedding": user.embedding.tolist(),
                "male": float(user.probabilities[0]),
                "female": float(user.probabilities[1]),
                "liked": user.history.tolist(),
            }
            for user in ranked_users(count, PICTURES, 0, False, seed)
        ],
    }


def write_dataset(users: Sequence[Row], count: int, folder: Path) -> Path:
    """Write `count` rows, the users over and over, as Parquet files to a new folder; returns the folder."""
    folder.mkdir()
    rows = list(islice(cycle(users), count))
    for number in range(FILES):
        part = pa.Table.from_pylist(rows[number * count // FILES : (number + 1) * count // FILES])
        pq.write_table(part, folder / f"{number}.parquet", row_group_size=512)
    return folder


def run_command(server: Server, command: str, engine: str, dataset: Path, count: int) -> float:
    """Run `genderclient score` or `rank` on a dataset, and return the seconds that it took.

    Raises:
        ScoringError: The command failed or did not do `count` rows.
    """
    output = dataset.with_name("out.parquet")
    started = [sys.executable, "-m", "genderclient", command, str(dataset), "-o", str(output), "--engine", engine]
    start = perf_counter()
    done = subprocess.run(
        [*started, "--overwrite", "--quiet", "--url", f"grpc://{server.grpc_url}"],
        capture_output=True,
        text=True,
        env={**os.environ, **OWN_CLUSTER},
    )
    seconds = perf_counter() - start
    if done.returncode or f"{count} {COMMANDS[command]}, 0 failed" not in done.stderr:
        raise ScoringError(f"{' '.join(started)} exited with {done.returncode}: {done.stderr}")
    return seconds
