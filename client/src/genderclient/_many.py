"""Many users at once: a window of requests over any iterable. Requests stay single, Triton batches them itself."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genderclient._exceptions import GenderClientError
from genderclient._models import Prediction

if TYPE_CHECKING:
    from genderclient._avatar import Avatar


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """What `predict_many` reads: an avatar as `predict` takes it, a nickname, an id where there is an experiment.

    It never shows them.
    """

    avatar: "Avatar | None" = field(default=None, repr=False)
    nickname: str | None = field(default=None, repr=False)
    id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What `predict_many` gives: the position of the user in what was read, and the prediction or why there is none."""

    index: int
    prediction: Prediction | None = None
    error: GenderClientError | TypeError | ValueError | None = None


def checked_concurrency(concurrency: int) -> int:
    """A number of requests at once. Raises ValueError for none."""
    if concurrency < 1:
        raise ValueError(f"concurrency: got {concurrency}, expected 1 or more requests at once")
    return concurrency


def predict_in_threads(
    predict: Callable[[User], Prediction], users: Iterable[User], *, concurrency: int, ordered: bool
) -> Iterator[Scored]:
    """Predicts with so many threads; `users` is read only as far as there is a thread to start on the next."""

    def score(index: int, user: User) -> Scored:
        try:
            return Scored(index=index, prediction=predict(user))
        except (GenderClientError, TypeError, ValueError) as error:
            return Scored(index=index, error=error)

    waiting: deque[Future[Scored]] = deque()
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="genderclient")
    try:
        for index, user in enumerate(users):
            if len(waiting) >= concurrency:
                yield _next(waiting, ordered)
            waiting.append(pool.submit(score, index, user))
        while waiting:
            yield _next(waiting, ordered)
    finally:
        pool.shutdown(cancel_futures=True)


def _next(waiting: "deque[Future[Scored]]", ordered: bool) -> Scored:
    """The result of the first, or of whichever is done first."""
    if ordered:
        return waiting.popleft().result()
    done = next(iter(wait(waiting, return_when=FIRST_COMPLETED).done))
    waiting.remove(done)
    return done.result()


async def predict_in_tasks(
    predict: Callable[[User], Awaitable[Prediction]],
    users: Iterable[User] | AsyncIterable[User],
    *,
    concurrency: int,
    ordered: bool,
) -> AsyncIterator[Scored]:
    """The same with tasks."""

    async def score(index: int, user: User) -> Scored:
        try:
            return Scored(index=index, prediction=await predict(user))
        except (GenderClientError, TypeError, ValueError) as error:
            return Scored(index=index, error=error)

    waiting: deque[asyncio.Task[Scored]] = deque()
    index = 0
    try:
        async for user in _as_async(users):
            if len(waiting) >= concurrency:
                yield await _next_task(waiting, ordered)
            waiting.append(asyncio.create_task(score(index, user)))
            index += 1
        while waiting:
            yield await _next_task(waiting, ordered)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _next_task(waiting: "deque[asyncio.Task[Scored]]", ordered: bool) -> Scored:
    if not ordered:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        task = next(iter(done))
        waiting.remove(task)
        return task.result()
    # It stays among those that are cancelled when this is.
    result = await waiting[0]
    waiting.popleft()
    return result


async def _as_async(users: Iterable[User] | AsyncIterable[User]) -> AsyncIterator[User]:
    if isinstance(users, AsyncIterable):
        async for user in users:
            yield user
    else:
        for user in users:
            yield user
