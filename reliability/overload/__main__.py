"""Ten times what can be answered, for a minute, and what becomes of those who are let in and of those who are not.

    python -m reliability.overload              # --seconds 60

Through nginx (`server.edge.reverse_proxy`): few users, then ten times the most that was answered, then few again, one generator all
the while. Writes `results/overload.{csv,json,md,png}`.
"""

import os
import time
from collections.abc import Sequence
from typing import Final

import pandas as pd
import psutil

from perf.load.http_client_load import HttpLoadError, Request, closed_loop, triton_request
from perf.load.open_loop import RateStep, RequestResult, open_loop
from perf.load.process_stats import cpu_seconds, sampled
from perf.load.served import REPOSITORY, gender_ensembles
from perf.load.workload import SyntheticUser, synthetic_users
from perf.report.command import circumstances, parser_of, positive
from server.edge.access_policy import IN_FLIGHT, AccessPolicy
from server.edge.reverse_proxy import ReverseProxy, running_reverse_proxy
from server.errors import LaunchError
from server.launch.process import Server, StartError, running_triton

from .report import Measured, report

TIMES: Final = 10
# The share of the most that is answered which leaves a server idle most of the time.
FEW: Final = 0.1
# Long enough for a p99, and for coming back to normal.
AROUND_S: Final = 10.0
# Where two cores answer most.
CLIENTS: Final = (16, 32)


def overload(
    server: Server, load: Sequence[SyntheticUser], seed: int, flood_s: float, around_s: float, in_flight: int
) -> list[Measured]:
    """Flood all models in turn; `around_s` is how long few users come before and after, and what else is measured.

    Raises:
        LaunchError: nginx cannot start.
        HttpLoadError: a request failed otherwise than by being refused.
        OSError: more waited than this process may have connections.
    """
    with running_reverse_proxy(server.http_url, server.grpc_url, AccessPolicy(in_flight=in_flight)) as front:
        return [_flood(model, server, front, load, seed, flood_s, around_s) for model in gender_ensembles()]


def _flood(
    model: str,
    server: Server,
    front: ReverseProxy,
    load: Sequence[SyntheticUser],
    seed: int,
    flood_s: float,
    around_s: float,
) -> Measured:
    requests = [triton_request(gender_ensembles()[model], user) for user in load]
    best = _best(server, requests, around_s)
    few = RateStep(FEW * best, around_s)
    pids, start = {"triton": server.process.pid, "nginx": front.process.pid}, time.perf_counter()
    with sampled(lambda: _cpu(pids, start), every_s=1.0) as cpu:
        outcomes = open_loop(front.http_url, requests, (few, RateStep(TIMES * best, flood_s), few), seed)
    table = pd.DataFrame(outcomes, columns=list(RequestResult._fields))
    # Once more: the machine may have been slower before.
    best = max(best, _best(server, requests, around_s))
    return Measured(model, best, around_s, flood_s, table, pd.DataFrame(cpu))


def _best(server: Server, requests: Sequence[Request], seconds: float) -> float:
    """The most that is answered a second, by Triton alone."""
    return max(closed_loop(server.http_url, requests, clients, seconds / 2)["per_s"] for clients in CLIENTS)


def _cpu(pids: dict[str, int], start: float) -> dict[str, float]:
    """CPU time so far of each process with its children, and of this one, which sends: seconds."""
    spent = {f"{name}_s": cpu_seconds(pid) for name, pid in pids.items()}
    return {"seconds": time.perf_counter() - start, **spent, "generator_s": time.process_time()}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=positive, default=60, help="of the flood")
    parser.add_argument("--in-flight", type=positive, default=IN_FLIGHT, help="what the front lets in at once")
    args = parser.parse_args()
    about = {**circumstances(args), "in_flight": args.in_flight, "cores": os.cpu_count()}
    try:
        with running_triton(REPOSITORY) as server:
            load, around_s = synthetic_users(args.users, args.seed), max(AROUND_S, args.seconds / 4)
            found = overload(server, load, args.seed, args.seconds, around_s, args.in_flight)
    except (StartError, LaunchError, HttpLoadError, OSError, psutil.Error) as exc:
        raise SystemExit(f"overload: {exc}") from exc
    report(found, about, args.results)
    print((args.results / "overload.md").read_text())


if __name__ == "__main__":
    main()
