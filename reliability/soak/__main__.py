"""Whether a server stays as it is: half an hour at 60 % load through the SDK, and what it uses meanwhile.

    python -m reliability.soak                  # --minutes 30

Both backbones over both protocols, users of all kinds, and some whose avatar is none: what is refused must not leak
either. Writes `results/soak.{csv,json,md,png}`.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle, product
from random import Random
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import psutil

from genderclient import AsyncClient, GenderClientError, InvalidAvatar
from perf.load.perf_analyzer import PROTOCOLS
from perf.load.process_stats import anonymous_mb, handles, own_anonymous_mb, sampled, shared_mb
from perf.load.served import REPOSITORY, gender_ensembles
from perf.load.workload import SyntheticUser, synthetic_users
from perf.report.command import circumstances, parser_of, positive
from server.launch.process import Server, StartError, running_triton

from .report import report

LOAD: Final = 0.6
# So many at once keep every core busy.
AT_ONCE: Final = 16
# The share of users whose avatar is none.
BROKEN: Final = 0.05
SATURATING_S: Final = 20.0
EVERY_S: Final = 5.0
PATIENCE_S: Final = 10.0
ANSWERED, REFUSED = "answered", "refused"

Row = dict[str, Any]


class SoakError(RuntimeError):
    """There is no use in beginning."""


class Asked(NamedTuple):
    """A user, whether the avatar is one, and who is asked about it."""

    user: SyntheticUser
    broken: bool
    client: AsyncClient
    model: str


class Done(NamedTuple):
    """How it ended: `ANSWERED`, `REFUSED` as it has to be, or the name of the error; and how long it took."""

    end: str
    took_ms: float


def soak(
    server: Server, load: Sequence[SyntheticUser], seed: int, seconds: float, every_s: float
) -> tuple[float, pd.DataFrame]:
    """Find out how much the server answers, then ask for `LOAD` of that for so long.

    Returns how many a second it answered at most, and a row for every `every_s`: time since the start, s; memory of
    each part of the server and of this process, which holds the SDK, MB; descriptors, threads, shared memory; how many
    were answered and refused since the row before, how many failed otherwise, and percentiles of the latency.

    Raises:
        SoakError: a request failed before the soak began.
        psutil.Error: the server ended.
    """
    return asyncio.run(_soak(server, load, seed, seconds, every_s))


async def _soak(
    server: Server, load: Sequence[SyntheticUser], seed: int, seconds: float, every_s: float
) -> tuple[float, pd.DataFrame]:
    async with _clients(server) as clients:
        ask = _crowd(load, clients, Random(seed))
        most = await _saturate(ask, min(SATURATING_S, seconds))
        done: deque[Done] = deque()
        start = perf_counter()
        with sampled(lambda: _sample(server, done, perf_counter() - start), every_s) as rows:
            await _arrive(ask, LOAD * most, seconds, Random(seed), done)
    return most, pd.DataFrame(rows)


@asynccontextmanager
async def _clients(server: Server) -> AsyncIterator[list[AsyncClient]]:
    urls = {"grpc": server.grpc_url, "http": server.http_url}
    async with AsyncExitStack() as stack:
        opened = [AsyncClient(f"{protocol}://{urls[protocol]}", timeout_s=PATIENCE_S) for protocol in PROTOCOLS]
        yield [await stack.enter_async_context(client) for client in opened]


def _crowd(load: Sequence[SyntheticUser], clients: Sequence[AsyncClient], dice: Random) -> Callable[[], Asked]:
    """Whoever comes next: all users in turn, by all protocols to all backbones, some with a broken avatar."""
    turns = zip(cycle(load), cycle(product(clients, gender_ensembles().values())), strict=False)

    def ask() -> Asked:
        user, (client, model) = next(turns)
        broken = dice.random() < BROKEN
        return Asked(_broken(user, dice) if broken else user, broken, client, model)

    return ask


def _broken(user: SyntheticUser, dice: Random) -> SyntheticUser:
    """With an avatar that is cut off within its head, or was never one."""
    return SyntheticUser(user.avatar[: dice.randint(4, 20)] or dice.randbytes(100), user.nickname)


async def _answer(asked: Asked) -> Done:
    start = perf_counter()
    try:
        await asked.client.predict(avatar=asked.user.avatar or None, nickname=asked.user.nickname, model=asked.model)
        end = "accepted" if asked.broken else ANSWERED
    except GenderClientError as exc:
        end = REFUSED if asked.broken and isinstance(exc, InvalidAvatar) else type(exc).__name__
    return Done(end, 1000 * (perf_counter() - start))


async def _saturate(ask: Callable[[], Asked], seconds: float) -> float:
    """How many a second are answered or refused when `AT_ONCE` ask again as soon as they are."""
    start = perf_counter()

    async def one() -> list[str]:
        ends = []
        while perf_counter() < start + seconds:
            ends.append((await _answer(ask())).end)
        return ends

    found = Counter(end for ends in await asyncio.gather(*(one() for _ in range(AT_ONCE))) for end in ends)
    took = perf_counter() - start
    if failures := {*found} - {ANSWERED, REFUSED}:
        raise SoakError(f"some of the first {found.total()} requests failed: {' '.join(sorted(failures))}")
    return found.total() / took


async def _arrive(ask: Callable[[], Asked], rate: float, seconds: float, dice: Random, done: deque[Done]) -> None:
    """Users who know nothing of each other (Poisson), answered or not."""

    async def one(asked: Asked) -> None:
        done.append(await _answer(asked))

    start = due = perf_counter()
    async with asyncio.TaskGroup() as group:
        while (due := due + dice.expovariate(rate)) < start + seconds:
            await asyncio.sleep(max(0.0, due - perf_counter()))
            group.create_task(one(ask()))


def _sample(server: Server, done: deque[Done], seconds: float) -> Row:
    pid = server.process.pid
    ended = [done.popleft() for _ in range(len(done))]
    ends = [each.end for each in ended]
    times = [each.took_ms for each in ended if each.end == ANSWERED]
    return {
        "seconds": seconds,
        **{f"{name}_mb": size for name, size in anonymous_mb(pid).items()},
        "sdk_mb": own_anonymous_mb(),
        **handles(pid),
        "shared_mb": shared_mb(pid),
        "answered": ends.count(ANSWERED),
        "refused": ends.count(REFUSED),
        "failed": len(ends) - ends.count(ANSWERED) - ends.count(REFUSED),
        "failures": " ".join(sorted({*ends} - {ANSWERED, REFUSED})),
        **{f"p{rank}_ms": float(np.percentile(times, rank)) if times else float("nan") for rank in (50, 99)},
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--minutes", type=positive, default=30)
    args = parser.parse_args()
    about = circumstances(args)
    try:
        with running_triton(REPOSITORY) as server:
            most, rows = soak(server, synthetic_users(args.users, args.seed), args.seed, 60.0 * args.minutes, EVERY_S)
        report(most, rows, about, args.results)
    except (StartError, SoakError, OSError, psutil.Error, ValueError) as exc:
        raise SystemExit(f"soak: {exc}") from exc
    print((args.results / "soak.md").read_text())


if __name__ == "__main__":
    main()
