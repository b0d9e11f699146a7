"""Ten times what can be answered, for a minute, and what becomes of those who are let in and of those who are not.

    python -m perf.overload              # --seconds 60

Through nginx (`server.front`): few users, then ten times the most that was answered, then few again, one generator all
the while. Writes `results/overload.{csv,json,md,png}`.
"""

import os
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pandas as pd

from server.errors import LaunchError
from server.front import running_front
from server.process import ROOT, Server, StartError, free_ports, running_triton
from server.rules import IN_FLIGHT, Rules

from .command import circumstances, parser_of, positive
from .fixed_points import MODELS
from .http_load import HttpLoadError, Request, steady, triton_request
from .overload_report import report
from .processes import cpu_seconds, sampled
from .storm import Outcome, Phase, storm
from .workload import User, users

TIMES: Final = 10
# The share of the most that is answered which leaves a server idle most of the time.
FEW: Final = 0.1
# Where two cores answer most.
CLIENTS: Final = (16, 32)


class Measured(NamedTuple):
    """What happened to one model.

    `best_per_s`: the most that Triton answered without a front. `outcomes` has the columns of `storm.Outcome`, `cpu`
    those of `_cpu`, both with seconds since the start; the flood began after `before_s` of them and lasted `flood_s`.
    """

    model: str
    best_per_s: float
    before_s: float
    flood_s: float
    outcomes: pd.DataFrame
    cpu: pd.DataFrame


def overload(
    server: Server, load: Sequence[User], seed: int, flood_s: float, around_s: float, in_flight: int = IN_FLIGHT
) -> list[Measured]:
    """Flood all models in turn; `around_s` is how long few users come before and after, and what else is measured.

    Raises:
        LaunchError: nginx cannot start.
        HttpLoadError: a request failed otherwise than by being refused.
        OSError: more waited than this process may have connections.
    """
    http, grpc = (f"127.0.0.1:{port}" for port in free_ports(2))
    with running_front(server.http_url, server.grpc_url, http, grpc, Rules(in_flight=in_flight)) as front:
        pids = {"triton": server.process.pid, "nginx": front.process.pid}
        return [
            _flood(model, _port(server.http_url), _port(http), pids, _requests(model, load), seed, flood_s, around_s)
            for model in MODELS
        ]


def _flood(
    model: str,
    triton: int,
    front: int,
    pids: dict[str, int],
    requests: Sequence[Request],
    seed: int,
    flood_s: float,
    around_s: float,
) -> Measured:
    best = max(steady(triton, requests, clients, around_s)["per_s"] for clients in CLIENTS)
    few = Phase(FEW * best, around_s)
    start = time.perf_counter()
    with sampled(lambda: _cpu(pids, start), 1.0) as cpu:
        outcomes = storm(front, requests, (few, Phase(TIMES * best, flood_s), few), seed)
    return Measured(
        model, best, around_s, flood_s, pd.DataFrame(outcomes, columns=list(Outcome._fields)), pd.DataFrame(cpu)
    )


def _cpu(pids: dict[str, int], start: float) -> dict[str, float]:
    """CPU time so far of each process with its children, and of this one, which sends: seconds."""
    spent = {f"{name}_s": cpu_seconds(pid) for name, pid in pids.items()}
    return {"seconds": time.perf_counter() - start, **spent, "generator_s": time.process_time()}


def _requests(model: str, load: Sequence[User]) -> list[Request]:
    return [triton_request(f"gender_{model}", user) for user in load]


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=positive, default=60, help="of the flood")
    args = parser.parse_args()
    about = {**circumstances(args), "in_flight": IN_FLIGHT, "cores": os.cpu_count()}
    try:
        with running_triton(ROOT / "model_repository") as server:
            load = users(args.users, args.seed)
            found = overload(server, load, args.seed, flood_s=args.seconds, around_s=max(10.0, args.seconds / 4))
    except (StartError, LaunchError, HttpLoadError, OSError) as exc:
        raise SystemExit(f"overload: {exc}") from exc
    report(found, about, args.results)
    print((args.results / "overload.md").read_text())


if __name__ == "__main__":
    main()
