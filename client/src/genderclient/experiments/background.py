"""Work off the caller's path, bounded: what finds no place is dropped, for nobody waits for it."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

MAX_WAITING: Final = 64
THREADS: Final = 4
_LOG: Final = logging.getLogger("genderclient")


class BackgroundThreads:
    """Runs jobs in threads of its own."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="genderclient-shadow")
        self._places = threading.Semaphore(MAX_WAITING)

    def submit(self, job: Callable[[], None]) -> None:
        if not self._places.acquire(blocking=False):
            _LOG.debug("a shadow request is dropped: %d wait already", MAX_WAITING)
            return
        self._pool.submit(self._run, job)

    def close(self) -> None:
        """Ends when those that run have ended; those that wait are dropped."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:
            _report(error)
        finally:
            self._places.release()


class BackgroundTasks:
    """The same by tasks."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, job: Coroutine[Any, Any, None]) -> None:
        if len(self._tasks) >= MAX_WAITING:
            job.close()
            _LOG.debug("a shadow request is dropped: %d wait already", MAX_WAITING)
            return
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def close(self) -> None:
        """Cancels them all."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _report(error)


def _report(error: BaseException) -> None:
    # Its text could hold what it was called with.
    _LOG.error("the experiment's on_shadow raised %s", type(error).__name__)
