"""Predictions for many users: a window of concurrent requests. Triton batches the requests of single users itself."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from genderclient._avatar import Avatar
from genderclient._config.checks import check_integer, check_type
from genderclient._exceptions import GenderClientError
from genderclient._models import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user of `predict_many`: the `avatar` and `nickname` of `predict`, and its `user_id` as `id`."""

    avatar: Avatar | None = field(default=None, repr=False)
    nickname: str | None = field(default=None, repr=False)
    id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One result of `predict_many`: the position of the user, and the prediction or the error."""

    index: int
    prediction: Prediction | None = None
    error: GenderClientError | TypeError | ValueError | None = None


def checked_concurrency(concurrency: int) -> int:
    """Returns a positive number of simultaneous requests. Raises ValueError for any other."""
    check_integer("concurrency", concurrency, "1 or more")
    if concurrency < 1:
        raise ValueError(f"concurrency: got {concurrency}, expected 1 or more")
    return concurrency


def predict_in_threads(
    predict: Callable[[User], Prediction], users: Iterable[User], *, concurrency: int, ordered: bool
) -> Iterator[Scored]:
    """Predicts in `concurrency` threads. Reads a user only when a thread is free."""

    def score(index: int, user: User) -> Scored:
        try:
            return Scored(index=index, prediction=predict(_checked_user(user)))
        except (GenderClientError, TypeError, ValueError) as error:
            return Scored(index=index, error=error)

    in_flight: deque[Future[Scored]] = deque()
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="genderclient")
    try:
        for index, user in enumerate(users):
            if len(in_flight) >= concurrency:
                yield _take_result(in_flight, ordered)
            in_flight.append(pool.submit(score, index, user))
        while in_flight:
            yield _take_result(in_flight, ordered)
    finally:
        pool.shutdown(cancel_futures=True)


def _checked_user(user: User) -> User:
    check_type("users", user, User, "a User")
    return user


def _take_result(in_flight: "deque[Future[Scored]]", ordered: bool) -> Scored:
    """Removes the first result, or the first that completes."""
    if ordered:
        return in_flight.popleft().result()
    done = next(iter(wait(in_flight, return_when=FIRST_COMPLETED).done))
    in_flight.remove(done)
    return done.result()


async def predict_in_tasks(
    predict: Callable[[User], Awaitable[Prediction]],
    users: Iterable[User] | AsyncIterable[User],
    *,
    concurrency: int,
    ordered: bool,
) -> AsyncIterator[Scored]:
    """Predicts in `concurrency` tasks. Reads a user only when a task is free."""

    async def score(index: int, user: User) -> Scored:
        try:
            return Scored(index=index, prediction=await predict(_checked_user(user)))
        except (GenderClientError, TypeError, ValueError) as error:
            return Scored(index=index, error=error)

    in_flight: deque[asyncio.Task[Scored]] = deque()
    index = 0
    try:
        async for user in _as_async(users):
            if len(in_flight) >= concurrency:
                yield await _take_task_result(in_flight, ordered)
            in_flight.append(asyncio.create_task(score(index, user)))
            index += 1
        while in_flight:
            yield await _take_task_result(in_flight, ordered)
    finally:
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)


async def _take_task_result(in_flight: "deque[asyncio.Task[Scored]]", ordered: bool) -> Scored:
    if not ordered:
        done, _ = await asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)
        task = next(iter(done))
        in_flight.remove(task)
        return task.result()
    # Removed only afterwards, so that cancelling this task cancels it too.
    result = await in_flight[0]
    in_flight.popleft()
    return result


async def _as_async(users: Iterable[User] | AsyncIterable[User]) -> AsyncIterator[User]:
    if isinstance(users, AsyncIterable):
        async for user in users:
            yield user
    else:
        for user in users:
            yield user
