"""Flood the reverse proxy with requests, and compute what happened to them."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import psutil

from perf.load.http_client_load import ANSWERED, REFUSED, Request, closed_loop, triton_request
from perf.load.open_loop import LOST, RateStep, RequestResult, open_loop
from perf.load.process_stats import cpu_seconds, sampled
from perf.load.workload import SyntheticUser
from server.edge.access_policy import AccessPolicy
from server.edge.reverse_proxy import ReverseProxy, running_reverse_proxy
from server.launch.process import Server

OVERLOAD: Final = 10
# The rate before and after the flood, as a share of what the server can answer: it is idle most of the time.
IDLE_LOAD: Final = 0.1
# Concurrent clients with which two cores answer most.
CLIENTS: Final = (16, 32)
# The server has recovered when the p99 of a second is below this multiple of the p99 before the flood.
RECOVERED: Final = 1.5
RECOVERY_STEP_S: Final = 0.1
PROCESSES: Final = ("triton", "nginx", "generator", "others")
RATES: Final = {"answered_per_s": ANSWERED, "refused_per_s": REFUSED, "lost_per_s": LOST}


class Best(NamedTuple):
    """How many requests a second Triton answered without the proxy, and how many cores the other processes left it."""

    per_s: float
    cores: float


class Flood(NamedTuple):
    """What was measured for one model.

    Attributes:
        model: The backbone.
        best: The number of clients with which Triton answered most, on average before and after the flood.
        before_s: Seconds until the flood began.
        flood_s: Seconds that it lasted.
        requests: One row per request, with the fields of `RequestResult`.
        cpu: CPU time so far of each of `PROCESSES`, s, over `seconds` since the start.
    """

    model: str
    best: Best
    before_s: float
    flood_s: float
    requests: pd.DataFrame
    cpu: pd.DataFrame


def flood_all(
    server: Server,
    models: Mapping[str, str],
    users: Sequence[SyntheticUser],
    seed: int,
    flood_s: float,
    around_s: float,
    in_flight: int,
) -> list[Flood]:
    """Flood one model after the other.

    `around_s` is the length of the idle load before and after, and of other measurements. The proxy admits `in_flight`
    requests at once.

    Raises:
        HttpLoadError: A response has an unexpected status.
        LaunchError: nginx cannot start.
        OSError: More requests wait than this process may have sockets.
    """
    with running_reverse_proxy(server.http_url, server.grpc_url, AccessPolicy(in_flight=in_flight)) as proxy:
        return [
            _flood(backbone, server, proxy, [triton_request(model, user) for user in users], seed, flood_s, around_s)
            for backbone, model in models.items()
        ]


def _flood(
    model: str,
    server: Server,
    proxy: ReverseProxy,
    requests: Sequence[Request],
    seed: int,
    flood_s: float,
    around_s: float,
) -> Flood:
    before = _closed_loops(server, requests, around_s)
    best_per_s = max(each.per_s for each in before)
    idle, flood = RateStep(IDLE_LOAD * best_per_s, around_s), RateStep(OVERLOAD * best_per_s, flood_s)
    pids, start = {"triton": server.process.pid, "nginx": proxy.process.pid}, time.perf_counter()
    with sampled(lambda: _cpu(pids, start), every_s=1.0) as cpu:
        results = open_loop(proxy.http_url, requests, (idle, flood, idle), seed)
    # Measured again, because the speed of the machine drifts.
    after = _closed_loops(server, requests, around_s)
    best = max(Best(*np.mean(pair, axis=0)) for pair in zip(before, after, strict=True))
    table = pd.DataFrame(results, columns=list(RequestResult._fields))
    return Flood(model, best, around_s, flood_s, table, pd.DataFrame(cpu))


def _closed_loops(server: Server, requests: Sequence[Request], seconds: float) -> list[Best]:
    """Measure Triton for each number of `CLIENTS`."""
    return [_closed_loop(server, requests, clients, seconds / len(CLIENTS)) for clients in CLIENTS]


def _closed_loop(server: Server, requests: Sequence[Request], clients: int, seconds: float) -> Best:
    pids, start = {"triton": server.process.pid}, time.perf_counter()
    begin = _cpu(pids, start)
    per_s = closed_loop(server.http_url, requests, clients, seconds)["per_s"]
    end = _cpu(pids, start)
    spent = {name: end[name] - begin[name] for name in begin}
    return Best(per_s, cores() - (spent["generator_s"] + spent["others_s"]) / spent["seconds"])


def cores() -> int:
    """Return the cores of this machine."""
    return psutil.cpu_count() or 1


def _cpu(pids: Mapping[str, int], start: float) -> dict[str, float]:
    """Return the CPU time so far of these processes, of this one, and of all others on the machine and its host."""
    times = psutil.cpu_times()
    busy_s = {f"{name}_s": cpu_seconds(pid) for name, pid in pids.items()} | {"generator_s": time.process_time()}
    others_s = sum(times) - times.idle - times.iowait - sum(busy_s.values())
    return {"seconds": time.perf_counter() - start, **busy_s, "others_s": others_s}


def summarize(flood: Flood, cores: int) -> dict[str, Any]:
    """Return the figures of one model during the flood: rates per second, latencies in ms, busy cores.

    `left` is the share of the machine that the other processes left to Triton, `best_left` that at its best.
    """
    due, end = flood.requests["due_s"], flood.before_s + flood.flood_s
    during = flood.requests[(due >= flood.before_s) & (due < end)]
    idle_p99_ms = _took_ms(flood.requests[due < flood.before_s], ANSWERED).quantile(0.99)
    rates = {name: (during["status"] == status).sum() / flood.flood_s for name, status in RATES.items()}
    busy = _busy_cores(flood.cpu, flood.before_s, end)
    return {
        "model": flood.model,
        "best_per_s": flood.best.per_s,
        "idle_p99_ms": idle_p99_ms,
        "sent_per_s": len(during) / flood.flood_s,
        **rates,
        "times": len(during) / flood.flood_s / flood.best.per_s,
        "kept": rates["answered_per_s"] / flood.best.per_s,
        **_latencies(during),
        **busy,
        "left": 1 - (sum(busy.values()) - busy["triton_cores"]) / cores,
        "best_left": flood.best.cores / cores,
        "back_s": recovery_s(flood.requests, end, RECOVERED * float(idle_p99_ms)),
    }


def recovery_s(requests: pd.DataFrame, end_s: float, limit_ms: float) -> float:
    """Return seconds from `end_s` until all requests of one second are answered with a p99 of at most `limit_ms`.

    NaN if that does not happen before the last request.
    """
    for begin in np.arange(end_s, float(requests["due_s"].max()) - 1, RECOVERY_STEP_S):
        second = requests[(requests["due_s"] >= begin) & (requests["due_s"] < begin + 1)]
        if second["status"].eq(ANSWERED).all() and second["took_ms"].quantile(0.99) <= limit_ms:
            return float(begin - end_s)
    return float("nan")


def by_second(flood: Flood) -> pd.DataFrame:
    """Return one row per second since the flood began: counts and percentiles of the requests due in it, busy cores."""
    seconds = np.floor(flood.requests["due_s"] - flood.before_s).astype(int)
    return pd.DataFrame(_second(flood, int(second), rows) for second, rows in flood.requests.groupby(seconds))


def _second(flood: Flood, second: int, rows: pd.DataFrame) -> dict[str, Any]:
    begin = flood.before_s + second
    return {
        "model": flood.model,
        "second": second,
        "sent": len(rows),
        **{name.removesuffix("_per_s"): int((rows["status"] == status).sum()) for name, status in RATES.items()},
        **_latencies(rows),
        **_busy_cores(flood.cpu, begin, begin + 1),
    }


def _latencies(requests: pd.DataFrame) -> dict[str, Any]:
    answered, refused = _took_ms(requests, ANSWERED), _took_ms(requests, REFUSED)
    return {
        "p50_ms": answered.quantile(0.5),
        "p99_ms": answered.quantile(0.99),
        "refused_p50_ms": refused.quantile(0.5),
        "refused_p99_ms": refused.quantile(0.99),
        "late_p99_ms": requests["late_ms"].quantile(0.99),
    }


def _took_ms(requests: pd.DataFrame, status: int) -> "pd.Series[float]":
    return requests["took_ms"][requests["status"] == status]


def _busy_cores(cpu: pd.DataFrame, begin: float, end: float) -> dict[str, float]:
    cpu_s = {name: np.interp([begin, end], cpu["seconds"], cpu[f"{name}_s"]) for name in PROCESSES}
    return {f"{name}_cores": float(spent[1] - spent[0]) / (end - begin) for name, spent in cpu_s.items()}
