"""Rows a second of `genderclient score`, by one process and by Ray's workers, on the same Parquet files.

    python -m perf.experiments.offline_scoring

The whole command is timed, on fewer and on more rows: what the longer run takes more is scoring, the rest is getting
ready. Writes `results/scoring.{csv,json,md}`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from server.launch.process import ROOT, Server, StartError, running_triton

from ..load.workload import User, users
from ..report.command import positive, write

ENGINES: Final = ("local", "ray")
FILES: Final = 4
# Ray's own cluster, whatever the environment says: it is to be the same machine.
ALONE: Final = {"RAY_ADDRESS": ""}


class ScoringError(RuntimeError):
    """The command failed, or did not score every row; the message ends with what it said."""


def compare(server: Server, load: Sequence[User], counts: Sequence[int], rounds: int) -> pd.DataFrame:
    """Score tables of so many rows by both engines in turn: one row for each round, engine and count, with its seconds.

    Raises:
        ScoringError: the command failed.
    """
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        tables = {count: write_dataset(load, count, Path(folder) / str(count)) for count in counts}
        score(server, ENGINES[0], tables[counts[0]], counts[0])
        for number in range(rounds):
            for count, table in tables.items():
                for engine in ENGINES[:: 1 if number % 2 else -1]:
                    seconds = score(server, engine, table, count)
                    rows.append({"round": number, "engine": engine, "rows": count, "seconds": seconds})
            print(f"round {number + 1} of {rounds}", flush=True)
    return pd.DataFrame(rows)


def write_dataset(load: Sequence[User], count: int, folder: Path) -> Path:
    """So many rows, the users over and over, as Parquet files in a new folder; returns it."""
    folder.mkdir()
    everybody = [{"avatar": user.avatar or None, "nickname": user.nickname} for user in islice(cycle(load), count)]
    for number in range(FILES):
        table = pa.Table.from_pylist(everybody[number * count // FILES : (number + 1) * count // FILES])
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=512)
    return folder


def score(server: Server, engine: str, table: Path, count: int) -> float:
    """The seconds that the command takes, from its start to its end.

    Raises:
        ScoringError: it failed.
    """
    output = table.with_name("scored.parquet")
    command = [sys.executable, "-m", "genderclient", "score", str(table), "-o", str(output), "--engine", engine]
    start = perf_counter()
    done = subprocess.run(
        [*command, "--quiet", "--url", f"grpc://{server.grpc_url}"],
        capture_output=True,
        text=True,
        env={**os.environ, **ALONE},
    )
    seconds = perf_counter() - start
    if done.returncode or f"{count} scored, 0 failed" not in done.stderr:
        raise ScoringError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return seconds


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """By engine the medians of the rounds, and the range of the rate.

    Columns: `seconds` of the longer run and `whole_per_s`, its rows by them; `per_s` (with `low` and `high`), the rows
    that it has more by the seconds that it takes more; `ready_s`, the seconds that are left where nothing is scored.

    Raises:
        ScoringError: chance was larger than what was to be measured.
    """
    by_count = rows.pivot(index=["engine", "round"], columns="rows", values="seconds")
    few, many = rows["rows"].min(), rows["rows"].max()
    found = pd.DataFrame({"seconds": by_count[many], "whole_per_s": many / by_count[many]})
    found["per_s"] = (many - few) / (by_count[many] - by_count[few])
    if (found["per_s"] < 0).any():
        raise ScoringError(f"{many} rows took less time than {few}; give --rows further apart")
    found["ready_s"] = by_count[few] - few / found["per_s"]
    by_engine = found.groupby("engine")
    medians = by_engine.median()
    medians["low"], medians["high"] = by_engine["per_s"].min(), by_engine["per_s"].max()
    return medians.reset_index()


def markdown(found: pd.DataFrame, counts: Sequence[int]) -> str:
    """The document, from what `summarize` returned."""
    lines = [
        f"| {row['engine']} | {row['per_s']:.0f} ({row['low']:.0f} to {row['high']:.0f}) | {row['ready_s']:.1f} "
        f"| {row['seconds']:.1f} | {row['whole_per_s']:.0f} |"
        for row in found.to_dict("records")
    ]
    return f"""# Scoring a table

Written by `python -m perf.experiments.offline_scoring`, like `scoring.json` beside it, which has machine, date and seed, and `scoring.csv`,
which has every run. `genderclient score` on the same Parquet files, {min(counts)} and {max(counts)} rows, by one
process (`local`) and by a Ray cluster that it starts for itself, in turn. Medians of the rounds, the rate with its
range.

Triton, client and Ray share the cores of one machine here, so Ray's processes take from Triton what they use: this is
what Ray costs. What it brings are more machines with more servers.

| engine | rows a second | seconds to get ready | seconds for {max(counts)} rows | rows a second, all in all |
|---|---|---|---|---|
{chr(10).join(lines)}
"""


def report(rows: pd.DataFrame, about: dict[str, Any], results: Path) -> None:
    """Write the runs, the medians and the document to the folder `results`."""
    found = summarize(rows)
    document = markdown(found, sorted(set(rows["rows"])))
    write("scoring", rows, document, results, **about, engines=found.round(4).to_dict("records"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs=2, type=positive, default=[2_000, 20_000], help="fewer and more")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--users", type=positive, default=256, help="different ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    args = parser.parse_args()
    if args.rows[0] == args.rows[1]:
        parser.error(f"--rows: got {args.rows[0]} twice, expected fewer and more")
    about = {
        "counts": args.rows,
        "ray": version("ray"),
        **{name: getattr(args, name) for name in ("rounds", "users", "seed")},
    }
    about["load_average_before"] = round(os.getloadavg()[0], 1)
    try:
        with running_triton(ROOT / "model_repository") as server:
            rows = compare(server, users(args.users, args.seed), args.rows, args.rounds)
        report(rows, about, args.results)
    except (ScoringError, StartError) as exc:
        raise SystemExit(f"scoring: {exc}") from exc
    print((args.results / "scoring.md").read_text())


if __name__ == "__main__":
    main()
