"""The cost of a repeated request with and without Triton's response cache."""

import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from server.launch.process import Server, running_triton

from ..load import perf_analyzer
from ..load.perf_analyzer import PROTOCOLS, InferenceLoad
from ..load.served import REPOSITORY, gender_ensembles
from ..load.workload import SyntheticUser, synthetic_users, write_perf_analyzer_data
from ..report.experiment import Experiment, Goal, Measurement
from ..report.markdown import table
from ..report.rounds import medians
from ..report.runner import add_rounds

CACHE: Final = "--cache-config=local,size=268435456"
CACHING: Final = "with a cache"
REPEAT_MS: Final = 0.5


class ResponseCache(Experiment):
    """Measure repeated requests on a server with Triton's response cache and on one without.

    One client at a time.
    """

    name = "response_cache"
    title = "Response cache"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_rounds(parser)

    def measure(self, args: Any) -> Measurement:
        with running_triton(REPOSITORY) as plain, running_triton(REPOSITORY, CACHE) as caching:
            servers = {"without a cache": plain, CACHING: caching}
            rows = measure_servers(servers, synthetic_users(args.users, args.seed), args.rounds, args.seconds)
        return Measurement(rows, {})

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        arms = summarize(measurement.rows)
        for arm in arms[arms["server"] == CACHING].to_dict("records"):
            text = f"{arm['model']}, {arm['protocol']}: a cached answer within {REPEAT_MS} ms"
            yield Goal(text, f"{arm['p50_ms']:.2f} ms", arm["p50_ms"] <= REPEAT_MS)

    def table(self, measurement: Measurement) -> str:
        columns = {
            "model": "{model}",
            "protocol": "{protocol}",
            "server": "{server}",
            "p50 ms": "{p50_ms:.2f} ({p50_ms_low:.2f} to {p50_ms_high:.2f})",
            "p99 ms": "{p99_ms:.2f}",
            "CPU ms per request": "{cpu_ms:.2f}",
        }
        return f"""One client; the servers have seen every request before. Values are medians of the rounds; p50 has its range.
`tritonserver {CACHE}` turns the cache on; it is off by default.

{table(summarize(measurement.rows), columns)}"""


def measure_servers(
    servers: Mapping[str, Server], users: Sequence[SyntheticUser], rounds: int, seconds: float
) -> pd.DataFrame:
    """Measure repeated requests; returns one row per round, model, protocol and server."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = write_perf_analyzer_data(users, Path(folder) / "users.json")
        # The first round fills the cache and does not count.
        for number in range(-1, rounds):
            for model, ensemble in gender_ensembles().items():
                for protocol in PROTOCOLS:
                    for name, server in servers.items():
                        load = InferenceLoad(ensemble, protocol)
                        figures = perf_analyzer.measure(server, load, data, seconds)
                        rows.append({"round": number, "model": model, "protocol": protocol, "server": name, **figures})
            print(f"round {number + 1} of {rounds}", flush=True)
    return pd.DataFrame([row for row in rows if row["round"] >= 0])


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the medians of the rounds by model, protocol and server."""
    return medians(rows, by=["model", "protocol", "server"], spread=["p50_ms"])
