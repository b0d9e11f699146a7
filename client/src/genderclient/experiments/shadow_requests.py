"""Shadow requests: copies of a request to the other arms, in the background. Excess copies are dropped."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Final

from genderclient._exceptions import GenderClientError
from genderclient._flow import Call, Flow, TaskRunner, ThreadRunner
from genderclient._models import Prediction
from genderclient.experiments.reports import Exposure, Shadow

MAX_WAITING: Final = 64
THREADS: Final = 4
_LOG: Final = logging.getLogger("genderclient")


class ShadowRequests:
    """The shadow requests of one client."""

    def __init__(self, arms: Iterable[str], report_shadow: Callable[[Shadow], None]) -> None:
        self._arms = tuple(arms)
        self._report_shadow = report_shadow
        self.threads = BackgroundThreads()
        self.tasks = BackgroundTasks()

    def prepare(self, call: Call) -> Call:
        """Makes the inputs reusable: a file can be read only once."""
        return replace(call, encode=cache(call.encode))

    def start(
        self, call: Call, exposure: Exposure, served: Prediction, proceed: Callable[[Call], Flow[Prediction]]
    ) -> Flow[None]:
        """Sends a copy of `call` to each arm that did not serve it."""
        for model in self._arms:
            if model != exposure.arm:
                copy = proceed(replace(call, model=model, retries=False))
                yield InBackground(self, self._shadow(Shadow(exposure=exposure, served=served, model=model), copy))

    def close(self) -> None:
        self.threads.close()

    async def aclose(self) -> None:
        await self.tasks.close()

    def _shadow(self, shadow: Shadow, copy: Flow[Prediction]) -> Flow[None]:
        try:
            other = yield from copy
        except GenderClientError as error:
            self._report_shadow(replace(shadow, error=error))
        else:
            self._report_shadow(replace(shadow, other=replace(other, arm=shadow.model)))


@dataclass(frozen=True, slots=True)
class InBackground:
    """Starts a flow that the caller does not wait for."""

    shadow_requests: ShadowRequests
    flow: Flow[None]

    def run(self, runner: ThreadRunner) -> None:
        self.shadow_requests.threads.submit(partial(runner.run, self.flow))

    async def run_async(self, runner: TaskRunner) -> None:
        self.shadow_requests.tasks.submit(runner, self.flow)


class BackgroundThreads:
    """A bounded queue of jobs for a few threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="genderclient-shadow")
        self._slots = threading.Semaphore(MAX_WAITING)

    def submit(self, job: Callable[[], None]) -> None:
        """Queues a job. If the queue is full, the job is dropped."""
        if self._slots.acquire(blocking=False):
            self._pool.submit(self._run, job)
        else:
            _log_dropped()

    def close(self) -> None:
        """Waits for the jobs that run and drops those that wait."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:
            _log_error(error)
        finally:
            self._slots.release()


class BackgroundTasks:
    """A bounded set of tasks."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, runner: TaskRunner, flow: Flow[None]) -> None:
        """Starts a flow. If there are too many, it is dropped."""
        if len(self._tasks) >= MAX_WAITING:
            _log_dropped()
            return
        task = asyncio.create_task(runner.run(flow))
        self._tasks.add(task)
        task.add_done_callback(self._finish)

    async def close(self) -> None:
        """Cancels all tasks."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _finish(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log_error(error)


def _log_dropped() -> None:
    _LOG.debug("dropped a shadow request: %d are waiting", MAX_WAITING)


def _log_error(error: BaseException) -> None:
    # The message could contain what the callback was called with.
    _LOG.error("the experiment's on_shadow raised %s", type(error).__name__)
