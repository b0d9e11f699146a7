"""What a repeat costs that Triton's response cache answers, beside the same from a server without a cache.

    python -m perf.experiments.response_cache

One client, all in turn. Writes `results/cached.{csv,json,md}`.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from server.launch.process import ROOT, Server, StartError, running_triton

from ..load import perf_analyzer
from ..load.baselines import MODELS
from ..load.perf_analyzer import PROTOCOLS, Load, PerfAnalyzerError
from ..load.workload import User, users, write_perf_analyzer_data
from ..report.command import arguments, circumstances, write

CACHE: Final = "--cache-config=local,size=268435456"
CACHING: Final = "with a cache"


def compare(servers: Mapping[str, Server], load: Sequence[User], rounds: int, seconds: float) -> pd.DataFrame:
    """By round, model, protocol and server the latencies, ms; every user was asked for before, so that all repeat.

    Raises:
        PerfAnalyzerError: perf_analyzer is not installed, or a request failed.
    """
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = write_perf_analyzer_data(load, Path(folder) / "users.json")
        for number in range(-1, rounds):
            for model in MODELS:
                for protocol in PROTOCOLS:
                    for name, server in servers.items():
                        found = perf_analyzer.measure(server, Load(f"gender_{model}", protocol), data, seconds)
                        rows.append({"round": number, "model": model, "protocol": protocol, "server": name, **found})
            print(f"round {number + 1} of {rounds}", flush=True)
    # The first round fills the cache.
    return pd.DataFrame([row for row in rows if row["round"] >= 0])


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """By model, protocol and server the medians of the rounds, and the widest p50 of a round."""
    arms = rows.groupby(["model", "protocol", "server"], sort=False)
    found = arms[["p50_ms", "p99_ms", "per_s", "cpu_ms"]].median()
    found["p50_min_ms"], found["p50_max_ms"] = arms["p50_ms"].min(), arms["p50_ms"].max()
    return found.reset_index()


def markdown(arms: pd.DataFrame) -> str:
    """The document, from what `summarize` returned."""
    lines = [
        f"| {row['model']} | {row['protocol']} | {row['server']} | {row['p50_ms']:.2f} "
        f"({row['p50_min_ms']:.2f} to {row['p50_max_ms']:.2f}) | {row['p99_ms']:.2f} | {row['cpu_ms']:.2f} |"
        for row in arms.to_dict("records")
    ]
    return f"""# A repeat answered by the cache

Written by `python -m perf.experiments.response_cache`, like `cached.json` beside it, which has machine, date and seed, and `cached.csv`,
which has every round. One client; every user was asked for before. Milliseconds, medians of the rounds, p50 from the
best to the worst of them. `tritonserver {CACHE}` turns the cache on; it is off by default.

| backbone | protocol | server | p50 | p99 | CPU a request |
|---|---|---|---|---|---|
{chr(10).join(lines)}
"""


def main() -> None:
    args = arguments(__doc__)
    about = circumstances(args)
    repository = ROOT / "model_repository"
    try:
        with running_triton(repository) as plain, running_triton(repository, CACHE) as caching:
            servers = {"without a cache": plain, CACHING: caching}
            rows = compare(servers, users(args.users, args.seed), args.rounds, args.seconds)
    except (PerfAnalyzerError, StartError) as exc:
        raise SystemExit(f"cached: {exc}") from exc
    arms = summarize(rows)
    write("cached", rows, markdown(arms), args.results, **about, arms=arms.round(4).to_dict("records"))
    print((args.results / "cached.md").read_text())


if __name__ == "__main__":
    main()
