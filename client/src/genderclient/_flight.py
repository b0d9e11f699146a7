"""The requests of one prediction that are under way: mostly one, two where it is hedged."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait

from genderclient._retry import Outcome
from genderclient._transports.base import InferenceRequest, InferenceResponse, TransportError

Result = InferenceResponse | TransportError


class ThreadFlight:
    """By threads; one that nobody waits for any more ends with its answer or its timeout."""

    def __init__(self, send: Callable[[InferenceRequest], Result], pool: Executor) -> None:
        self._send = send
        self._pool = pool
        self._pending: set[Future[Result]] = set()

    def send(self, request: InferenceRequest, patience_s: float | None) -> Outcome:
        if patience_s is None and not self._pending:
            return self._send(request)
        self._pending.add(self._pool.submit(self._send, request))
        return self.wait(patience_s)

    def wait(self, patience_s: float | None) -> Outcome:
        """The first response, the last failure if there is none, or None when patience ends before either."""
        failure: Outcome = None
        while self._pending:
            done, self._pending = wait(self._pending, patience_s, FIRST_COMPLETED)
            if not done:
                return None
            for outcome in (future.result() for future in done):
                if isinstance(outcome, InferenceResponse):
                    return outcome
                failure = outcome
        return failure


class TaskFlight:
    """The same by tasks, which `cancel` ends."""

    def __init__(self, send: Callable[[InferenceRequest], Awaitable[Result]]) -> None:
        self._send = send
        self._pending: set[asyncio.Future[Result]] = set()

    async def send(self, request: InferenceRequest, patience_s: float | None) -> Outcome:
        if patience_s is None and not self._pending:
            return await self._send(request)
        self._pending.add(asyncio.ensure_future(self._send(request)))
        return await self.wait(patience_s)

    async def wait(self, patience_s: float | None) -> Outcome:
        failure: Outcome = None
        while self._pending:
            done, self._pending = await asyncio.wait(
                self._pending, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                return None
            for outcome in (future.result() for future in done):
                if isinstance(outcome, InferenceResponse):
                    return outcome
                failure = outcome
        return failure

    async def cancel(self) -> None:
        for future in self._pending:
            future.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)
