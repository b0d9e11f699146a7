"""Shadow requests: copies of a request to the other arms, in the background."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, cast

from genderclient._exceptions import GenderClientError
from genderclient._flow import Call, Flow, TaskRunner, ThreadRunner
from genderclient._questions.question import R
from genderclient.experiments.reports import Exposure, Shadow, Shadowed

MAX_WAITING: Final = 64
THREADS: Final = 4
_LOG: Final = logging.getLogger("genderclient")


class ShadowRequests:
    """The shadow requests of one client. Excess requests are dropped."""

    def __init__(self, arms: Iterable[str], report_shadow: Callable[[Shadow], None]) -> None:
        self._arms = tuple(arms)
        self._report_shadow = report_shadow
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="genderclient-shadow")
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = threading.Semaphore(MAX_WAITING)

    def prepare(self, call: Call[R]) -> Call[R]:
        """Makes the inputs reusable: a file can be read only once."""
        return replace(call, question=replace(call.question, encode=cache(call.question.encode)))

    def start(self, call: Call[R], exposure: Exposure, served: R, proceed: Callable[[Call[R]], Flow[R]]) -> Flow[None]:
        """Sends a copy of `call` to each arm that did not serve it."""
        for model in self._arms:
            if model != exposure.arm:
                copy = proceed(replace(call, model=model, retries=False))
                shadow = Shadow(exposure=exposure, served=cast(Shadowed, served), model=model)
                yield InBackground(self, self._shadow(shadow, copy))

    def start_thread(self, run: Callable[[Flow[None]], None], flow: Flow[None]) -> None:
        if self._take_slot():
            try:
                future = self._threads.submit(run, flow)
            except RuntimeError:  # another thread closed the client, or Python exits
                self._slots.release()
            else:
                future.add_done_callback(self._finish)

    def start_task(self, run: Callable[[Flow[None]], Coroutine[Any, Any, None]], flow: Flow[None]) -> None:
        if self._take_slot():
            task = asyncio.create_task(run(flow))
            self._tasks.add(task)
            task.add_done_callback(self._finish)

    def close(self) -> None:
        """Waits for the threads that run and drops what waits."""
        self._threads.shutdown(cancel_futures=True)

    async def aclose(self) -> None:
        """Cancels all tasks."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _shadow(self, shadow: Shadow, copy: Flow[R]) -> Flow[None]:
        try:
            other = yield from copy
        except GenderClientError as error:
            self._report_shadow(replace(shadow, error=error))
        else:
            self._report_shadow(replace(shadow, other=cast(Shadowed, replace(other, arm=shadow.model))))

    def _take_slot(self) -> bool:
        if self._slots.acquire(blocking=False):
            return True
        _LOG.debug("dropped a shadow request: %d are waiting", MAX_WAITING)
        return False

    def _finish(self, done: "Future[None] | asyncio.Task[None]") -> None:
        self._slots.release()
        if isinstance(done, asyncio.Task):
            self._tasks.discard(done)
        if not done.cancelled() and (error := done.exception()):
            # The message could contain what the callback was called with.
            _LOG.error("the experiment's on_shadow raised %s", type(error).__name__)


@dataclass(frozen=True, slots=True)
class InBackground:
    """Starts a flow that the caller does not wait for."""

    shadow_requests: ShadowRequests
    flow: Flow[None]

    def run(self, runner: ThreadRunner) -> None:
        self.shadow_requests.start_thread(runner.run, self.flow)

    async def run_async(self, runner: TaskRunner) -> None:
        self.shadow_requests.start_task(runner.run, self.flow)
