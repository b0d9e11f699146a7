"""Calls for many users or pictures: a window of concurrent requests. Triton batches single requests itself."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from genderclient._avatar import Avatar
from genderclient._config.checks import check_integer, check_type
from genderclient._exceptions import GenderClientError
from genderclient._features import UserFeatures
from genderclient._models import Embedding, Neighbors, Prediction, Ranking, Screening

CallError: TypeAlias = GenderClientError | TypeError | ValueError
# An item, the result of its call, and the report of either the result or the error.
T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")
Report: TypeAlias = Callable[[int, R | None, CallError | None], S]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user of `predict_many` and `rank_many`: the arguments of `predict` and `rank`, and the `user_id` as `id`.

    `predict_many` does not use `features` and `liked`.
    """

    avatar: Avatar | None = field(default=None, repr=False)
    nickname: str | None = field(default=None, repr=False)
    id: str | None = field(default=None, repr=False)
    features: Prediction | UserFeatures | None = field(default=None, repr=False)
    liked: Iterable[int] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of `embed_many`, with its title."""

    picture: Avatar | None = field(default=None, repr=False)
    title: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Scored:
    """One result of `predict_many`: the position of the user, and the prediction or the error."""

    index: int
    prediction: Prediction | None = None
    error: CallError | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """One result of `rank_many`: the position of the user, and the ranking or the error."""

    index: int
    ranking: Ranking | None = None
    error: CallError | None = None


@dataclass(frozen=True, slots=True)
class Embedded:
    """One result of `embed_many`: the position of the picture, and the embedding or the error."""

    index: int
    embedding: Embedding | None = None
    error: CallError | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """One result of `similar_many`: the position of the picture, and its neighbors or the error."""

    index: int
    neighbors: Neighbors | None = None
    error: CallError | None = None


@dataclass(frozen=True, slots=True)
class Screened:
    """One result of `screen_many`: the position of the picture, and its screening or the error."""

    index: int
    screening: Screening | None = None
    error: CallError | None = None


def checked_concurrency(concurrency: int) -> int:
    """Returns a positive number of simultaneous requests. Raises ValueError for any other."""
    check_integer("concurrency", concurrency, "1 or more")
    if concurrency < 1:
        raise ValueError(f"concurrency: got {concurrency}, expected 1 or more")
    return concurrency


def checked_item(item: T, kind: type[T]) -> T:
    """Returns one of many items. Raises TypeError if it is not a `kind`."""
    check_type(f"{kind.__name__.lower()}s", item, kind, f"a {kind.__name__}")
    return item


def ask_in_threads(
    ask: Callable[[int, T], R], items: Iterable[T], report: Report[R, S], *, concurrency: int, ordered: bool
) -> Iterator[S]:
    """Calls `ask(position, item)` in `concurrency` threads. Reads an item only when a thread is free."""

    def attempt(index: int, item: T) -> S:
        try:
            return report(index, ask(index, item), None)
        except (GenderClientError, TypeError, ValueError) as error:
            return report(index, None, error)

    in_flight: deque[Future[S]] = deque()
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="genderclient")
    try:
        for index, item in enumerate(items):
            in_flight.append(pool.submit(attempt, index, item))
            # Before the next item is read, which may take long.
            while len(in_flight) >= concurrency or (in_flight and _has_result(in_flight, ordered)):
                yield _take_result(in_flight, ordered)
        while in_flight:
            yield _take_result(in_flight, ordered)
    finally:
        pool.shutdown(cancel_futures=True)


def _has_result(in_flight: "deque[Future[S]] | deque[asyncio.Task[S]]", ordered: bool) -> bool:
    """Whether the first result is there, or any."""
    return in_flight[0].done() if ordered else any(each.done() for each in in_flight)


def _take_result(in_flight: "deque[Future[S]]", ordered: bool) -> S:
    """Removes the first result, or the first that completes."""
    if ordered:
        return in_flight.popleft().result()
    done = next(iter(wait(in_flight, return_when=FIRST_COMPLETED).done))
    in_flight.remove(done)
    return done.result()


async def ask_in_tasks(
    ask: Callable[[int, T], Awaitable[R]],
    items: Iterable[T] | AsyncIterable[T],
    report: Report[R, S],
    *,
    concurrency: int,
    ordered: bool,
) -> AsyncIterator[S]:
    """Calls `ask(position, item)` in `concurrency` tasks. Reads an item only when a task is free."""

    async def attempt(index: int, item: T) -> S:
        try:
            return report(index, await ask(index, item), None)
        except (GenderClientError, TypeError, ValueError) as error:
            return report(index, None, error)

    in_flight: deque[asyncio.Task[S]] = deque()
    index = 0
    try:
        async for item in _as_async(items):
            in_flight.append(asyncio.create_task(attempt(index, item)))
            index += 1
            await asyncio.sleep(0)  # the task begins before the next item is read
            while len(in_flight) >= concurrency or (in_flight and _has_result(in_flight, ordered)):
                yield await _take_task_result(in_flight, ordered)
        while in_flight:
            yield await _take_task_result(in_flight, ordered)
    finally:
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)


async def _take_task_result(in_flight: "deque[asyncio.Task[S]]", ordered: bool) -> S:
    if not ordered:
        done, _ = await asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)
        task = next(iter(done))
        in_flight.remove(task)
        return task.result()
    # Removed only afterwards, so that cancelling this task cancels it too.
    result = await in_flight[0]
    in_flight.popleft()
    return result


async def _as_async(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
