"""A question as a flow: a generator that yields steps, written once for threads and tasks.

    predict, rank, … ─► telemetry ─► hedging ─► experiment ─► encode, send with retries, decode

Each arrow is an `Extension.handle` around the next. The runners execute the steps of the whole flow.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from genderclient._questions.question import Question, R
from genderclient._transports.base import InferenceRequest, InferenceResponse, TransportError

T = TypeVar("T")
Result: TypeAlias = InferenceResponse | TransportError


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[R]):
    """A question, and how to ask it.

    Args:
        question: What to ask.
        model: The model to ask. None leaves the choice to an experiment, then to the question.
        user_id: Assigns the user to an arm of the client's experiment.
        timeout_s: Seconds for everything, retries included.
        headers: Headers of the request.
        retries: Whether a failed request is sent again.
    """

    question: Question[R]
    model: str | None
    user_id: str | None
    timeout_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    retries: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of a `Send`, and the number of requests it took."""

    result: Result
    requests: int = 1


class Step(Protocol):
    """One action of a flow that blocks or awaits. Extensions define their own."""

    def run(self, runner: "ThreadRunner") -> Attempt | None:
        """Executes the step in the calling thread."""

    async def run_async(self, runner: "TaskRunner") -> Attempt | None:
        """Executes the step in the current task."""


Flow: TypeAlias = Generator[Step, Attempt | None, T]


@dataclass(frozen=True, slots=True)
class Send:
    """Sends a request and returns its result."""

    request: InferenceRequest

    def run(self, runner: "ThreadRunner") -> Attempt:
        return Attempt(runner.send(self.request))

    async def run_async(self, runner: "TaskRunner") -> Attempt:
        return Attempt(await runner.send(self.request))


@dataclass(frozen=True, slots=True)
class Sleep:
    """Waits."""

    seconds: float

    def run(self, runner: "ThreadRunner") -> None:
        time.sleep(self.seconds)

    async def run_async(self, runner: "TaskRunner") -> None:
        await asyncio.sleep(self.seconds)


class Extension:
    """Wraps every call of one client. The base class changes nothing."""

    def handle(self, call: Call[R], proceed: Callable[[Call[R]], Flow[R]]) -> Flow[R]:
        """Yields the steps of a call; `proceed` continues with the next extension."""
        return proceed(call)

    def close(self) -> None:
        """Ends what the extension started in threads."""

    async def aclose(self) -> None:
        """Ends what the extension started in tasks."""


@dataclass(frozen=True, slots=True)
class ThreadRunner:
    """Executes flows in the calling thread."""

    send: Callable[[InferenceRequest], Result]

    def run(self, flow: Flow[T]) -> T:
        attempt: Attempt | None = None
        with closing(flow):
            while True:
                try:
                    step = flow.send(attempt)
                except StopIteration as end:
                    result: T = end.value
                    return result
                attempt = step.run(self)


@dataclass(frozen=True, slots=True)
class TaskRunner:
    """Executes flows in the current task."""

    send: Callable[[InferenceRequest], Awaitable[Result]]

    async def run(self, flow: Flow[T]) -> T:
        attempt: Attempt | None = None
        with closing(flow):
            while True:
                try:
                    step = flow.send(attempt)
                except StopIteration as end:
                    result: T = end.value
                    return result
                attempt = await step.run_async(self)
