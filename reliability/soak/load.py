"""Load both protocols and all models through the SDK for a long time, and sample the resources in use."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle, product
from random import Random
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from genderclient import AsyncClient, GenderClientError, InvalidAvatar
from perf.load.perf_analyzer import PROTOCOLS
from perf.load.process_stats import anonymous_mb, handles, own_anonymous_mb, sampled, shared_mb
from perf.load.workload import SyntheticUser
from perf.report.experiment import MeasurementError
from server.launch.process import Server

LOAD_SHARE: Final = 0.6
# Enough concurrent requests to keep every core busy.
SATURATING_CLIENTS: Final = 16
SATURATING_S: Final = 20.0
# Share of users whose avatar is broken; refusals must not leak either.
BROKEN: Final = 0.05
TIMEOUT_S: Final = 10.0
ANSWERED, REFUSED = "answered", "refused"


class SoakRequest(NamedTuple):
    """A request: the user, whether the avatar is broken, and the client and model to use."""

    user: SyntheticUser
    broken: bool
    client: AsyncClient
    model: str


class SoakResult(NamedTuple):
    """How a request ended: `ANSWERED`, `REFUSED` because its avatar is broken, or the name of an error."""

    end: str
    took_ms: float


async def soak(
    server: Server, models: Sequence[str], users: Sequence[SyntheticUser], seed: int, seconds: float, every_s: float
) -> tuple[float, pd.DataFrame]:
    """Measure how many requests the server can answer, then send `LOAD_SHARE` of that.

    Returns:
        The requests per second at saturation, and a sample every `every_s`: seconds since the start, memory of each
        part of the server and of this process with the SDK in MB, descriptors, threads, shared memory, counts of
        requests since the previous sample, and percentiles of their latency.

    Raises:
        MeasurementError: A request failed before the soak began.
        psutil.Error: The server exited.
    """
    async with _clients(server) as clients:
        next_request = _requests(users, clients, models, Random(seed))
        saturation_per_s = await _saturate(next_request, min(SATURATING_S, seconds))
        results: deque[SoakResult] = deque()
        start = perf_counter()
        with sampled(lambda: _sample(server, results, perf_counter() - start), every_s) as rows:
            await _send(next_request, LOAD_SHARE * saturation_per_s, seconds, Random(seed), results)
    return saturation_per_s, pd.DataFrame(rows)


@asynccontextmanager
async def _clients(server: Server) -> AsyncIterator[list[AsyncClient]]:
    urls = {"grpc": server.grpc_url, "http": server.http_url}
    async with AsyncExitStack() as stack:
        clients = [AsyncClient(f"{protocol}://{urls[protocol]}", timeout_s=TIMEOUT_S) for protocol in PROTOCOLS]
        yield [await stack.enter_async_context(client) for client in clients]


def _requests(
    users: Sequence[SyntheticUser], clients: Sequence[AsyncClient], models: Sequence[str], rng: Random
) -> Callable[[], SoakRequest]:
    """Return a function that cycles through users, and through all pairs of client and model."""
    turns = zip(cycle(users), cycle(product(clients, models)), strict=False)

    def next_request() -> SoakRequest:
        user, (client, model) = next(turns)
        broken = rng.random() < BROKEN
        return SoakRequest(_with_broken_avatar(user, rng) if broken else user, broken, client, model)

    return next_request


def _with_broken_avatar(user: SyntheticUser, rng: Random) -> SyntheticUser:
    """Truncate the avatar within its header; a missing one becomes random bytes."""
    return SyntheticUser(user.avatar[: rng.randint(4, 20)] or rng.randbytes(100), user.nickname)


async def _predict(request: SoakRequest) -> SoakResult:
    user, start = request.user, perf_counter()
    try:
        await request.client.predict(avatar=user.avatar or None, nickname=user.nickname, model=request.model)
        end = "accepted" if request.broken else ANSWERED
    except GenderClientError as exc:
        end = REFUSED if request.broken and isinstance(exc, InvalidAvatar) else type(exc).__name__
    return SoakResult(end, 1000 * (perf_counter() - start))


async def _saturate(next_request: Callable[[], SoakRequest], seconds: float) -> float:
    """Send requests back to back from concurrent clients, and return how many ended per second."""
    start = perf_counter()

    async def client() -> list[str]:
        ends = []
        while perf_counter() < start + seconds:
            ends.append((await _predict(next_request())).end)
        return ends

    per_client = await asyncio.gather(*(client() for _ in range(SATURATING_CLIENTS)))
    ends = Counter(end for ends in per_client for end in ends)
    took = perf_counter() - start
    if failures := {*ends} - {ANSWERED, REFUSED}:
        raise MeasurementError(f"some of the first {ends.total()} requests failed: {' '.join(sorted(failures))}")
    return ends.total() / took


async def _send(
    next_request: Callable[[], SoakRequest], per_s: float, seconds: float, rng: Random, results: deque[SoakResult]
) -> None:
    """Send requests with Poisson arrivals, whether or not earlier ones are answered."""

    async def one(request: SoakRequest) -> None:
        results.append(await _predict(request))

    start = due = perf_counter()
    async with asyncio.TaskGroup() as group:
        while (due := due + rng.expovariate(per_s)) < start + seconds:
            await asyncio.sleep(max(0.0, due - perf_counter()))
            group.create_task(one(next_request()))


def _sample(server: Server, results: deque[SoakResult], seconds: float) -> Mapping[str, Any]:
    pid = server.process.pid
    ended = [results.popleft() for _ in range(len(results))]
    ends = Counter(result.end for result in ended)
    times_ms = [result.took_ms for result in ended if result.end == ANSWERED]
    return {
        "seconds": seconds,
        **{f"{name}_mb": size for name, size in anonymous_mb(pid).items()},
        "sdk_mb": own_anonymous_mb(),
        **handles(pid),
        "shared_mb": shared_mb(pid),
        "answered": ends[ANSWERED],
        "refused": ends[REFUSED],
        "failed": ends.total() - ends[ANSWERED] - ends[REFUSED],
        "failures": " ".join(sorted({*ends} - {ANSWERED, REFUSED})),
        **{f"p{rank}_ms": float(np.percentile(times_ms, rank)) if times_ms else float("nan") for rank in (50, 99)},
    }
