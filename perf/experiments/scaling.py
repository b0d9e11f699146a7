"""What answers cost as work grows: more clients, more than can be answered, more users to score, more instances.

    python -m perf.experiments.scaling

Overload goes through nginx (`server.edge.reverse_proxy`), which refuses what cannot be answered soon, and to Triton alone, where
everybody waits. Writes `results/cost.{csv,json,md,png}`.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import pandas as pd

from server.edge.reverse_proxy import running_reverse_proxy
from server.errors import LaunchError
from server.launch.process import ROOT, Server, StartError, running_triton

from ..load.baselines import MODELS
from ..load.http_client_load import HttpLoadError, Request, ask, flood, steady, triton_request
from ..load.process_stats import cpu_seconds, resident_mb
from ..load.workload import User, users
from ..report.command import arguments, circumstances
from .scaling_report import report
from .server_settings import COUNT, Edit, Variant, repository_of

# Overload as shares of the most that was answered; without a front only as far as there is something left to measure.
RATES: Final = {"behind nginx": (1, 2, 5, 10), "Triton alone": (1, 2)}
INSTANCES: Final = (1, 2, 4)
SCORED: Final = (1_000, 10_000, 100_000)
# So many at once keep every core busy, and nobody waits for long.
AT_ONCE: Final = 16

Row = dict[str, Any]


def grow(load: Sequence[User], clients: Sequence[int], rounds: int, seconds: float) -> pd.DataFrame:
    """Measure more clients, more than can be answered, and more instances, all in turn; each round on new servers.

    Returns a row for each round, model, `kind` (clients, a key of `RATES`, instances) and `amount` of it.

    Raises:
        StartError: a server cannot be started.
        LaunchError: nginx cannot.
        HttpLoadError: a request failed otherwise than by being refused.
    """
    rows: list[Row] = []
    for number in range(rounds):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            servers = {
                count: stack.enter_context(running_triton(repository_of(_instances(count), folder / str(count))))
                for count in INSTANCES
            }
            shipped = servers[2]
            doors = {"Triton alone": _port(shipped.http_url), "behind nginx": _front(stack, shipped)}
            for model in MODELS:
                requests = [triton_request(f"gender_{model}", user) for user in load]
                found = list(_by_clients(shipped, requests, clients, seconds))
                found += _by_instances(servers, requests, seconds)
                found += _by_rate(doors, requests, max(row["per_s"] for row in found), seconds)
                rows += [{"round": number, "model": model, **row} for row in found]
        print(f"round {number + 1} of {rounds}", flush=True)
    return pd.DataFrame(rows)


def score(server: Server, model: str, load: Sequence[User], counts: Sequence[int]) -> Iterator[Row]:
    """Answer so many users, more and more: seconds since the first, and the memory of all processes, MB."""
    requests = [triton_request(f"gender_{model}", user) for user in load]
    port, start, done = _port(server.http_url), perf_counter(), 0.0
    for count in counts:
        while done < count:
            done += steady(port, requests, AT_ONCE, min(2.0, (count - done) / 200))["answers"]
        yield {
            "model": model,
            "users": done,
            "seconds": perf_counter() - start,
            **resident_mb(server.process.pid),
        }


def _by_clients(server: Server, requests: Sequence[Request], clients: Sequence[int], seconds: float) -> Iterator[Row]:
    for at_once in clients:
        yield {"kind": "clients", "amount": at_once, **_steady(server, requests, at_once, seconds)}


def _by_instances(servers: dict[int, Server], requests: Sequence[Request], seconds: float) -> Iterator[Row]:
    for count, server in servers.items():
        yield {"kind": "instances", "amount": count, **_steady(server, requests, AT_ONCE, seconds)}


def _by_rate(doors: dict[str, int], requests: Sequence[Request], most: float, seconds: float) -> Iterator[Row]:
    for kind, rates in RATES.items():
        for times in rates:
            yield {"kind": kind, "amount": times, **flood(doors[kind], requests, times * most, seconds)}
            # Who comes now waits for all that were left behind.
            ask(doors["Triton alone"], requests[0])


def _steady(server: Server, requests: Sequence[Request], at_once: int, seconds: float) -> Row:
    port = _port(server.http_url)
    steady(port, requests, at_once, seconds / 4)
    cpu = cpu_seconds(server.process.pid)
    found = steady(port, requests, at_once, seconds)
    return {**found, "cpu_ms": 1000 * (cpu_seconds(server.process.pid) - cpu) / found["answers"]}


def _instances(count: int) -> Variant:
    return Variant(f"{count} instances", (Edit(("preprocess", *MODELS), COUNT, COUNT.replace("2", str(count))),))


def _front(stack: ExitStack, server: Server) -> int:
    return _port(stack.enter_context(running_reverse_proxy(server.http_url, server.grpc_url)).http_url)


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def main() -> None:
    args = arguments(__doc__, clients=[1, 2, 4, 8, 16, 32, 64])
    about = circumstances(args)
    load = users(args.users, args.seed)
    try:
        rows = grow(load, args.clients, args.rounds, args.seconds)
        with running_triton(ROOT / "model_repository") as server:
            scored = pd.DataFrame([row for model in MODELS for row in score(server, model, load, SCORED)])
    except (StartError, LaunchError, HttpLoadError, OSError) as exc:
        raise SystemExit(f"cost: {exc}") from exc
    report(rows, scored, about, args.results)
    print((args.results / "cost.md").read_text())


if __name__ == "__main__":
    main()
