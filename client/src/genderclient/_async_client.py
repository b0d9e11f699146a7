"""The client for an event loop: adds sending and waiting to what `BaseClient` decides."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from genderclient._base_client import BaseClient, Call
from genderclient._exceptions import GenderClientError
from genderclient._flight import TaskFlight
from genderclient._many import Scored, User, checked_concurrency, predict_in_tasks
from genderclient._models import Prediction
from genderclient._retry import Answer, Outcome, Send, Sleep, Steps, Wait
from genderclient._transports import open_async_transport
from genderclient._transports.base import AsyncTransport, InferenceRequest, InferenceResponse, Status, TransportError
from genderclient.experiments.background import BackgroundTasks
from genderclient.telemetry import observed

if TYPE_CHECKING:
    from genderclient._avatar import Avatar


class AsyncClient(BaseClient[AsyncTransport]):
    """`Client`, which tells the arguments, for the tasks of one event loop.

    Cancelling a task, a deadline and `close` end its request on the server where the protocol is gRPC: the ensemble
    finishes the step it is in, and takes no further one. Over HTTP they only close the connection, at which Triton
    (2.51) does not look: it works on.
    """

    async def predict(
        self,
        *,
        avatar: "Avatar | None" = None,
        nickname: str | None = None,
        model: str | None = None,
        user_id: str | None = None,
        timeout_s: float | None = None,
        embedding: bool = False,
    ) -> Prediction:
        """Guesses the gender of one user: `Client.predict` says what goes in, what comes out, and what is raised.

        An avatar that is a path is read by the event loop's own thread: pass bytes where files are slow.
        """
        with observed() as observation:
            call = self._begin(
                observation,
                avatar=avatar,
                nickname=nickname,
                model=model,
                user_id=user_id,
                timeout_s=timeout_s,
                embedding=embedding,
            )
            prediction = self._end(call, await self._follow(call.steps))
        for request in self._others(call):
            self._background.submit(self._ask_other(call, prediction, request))
        return prediction

    def predict_many(
        self,
        users: Iterable[User] | AsyncIterable[User],
        *,
        concurrency: int = 16,
        ordered: bool = True,
        model: str | None = None,
    ) -> AsyncIterator[Scored]:
        """Guesses for any number of users, as `Client.predict_many` does."""
        return predict_in_tasks(
            lambda user: self.predict(avatar=user.avatar, nickname=user.nickname, user_id=user.id, model=model),
            users,
            concurrency=checked_concurrency(concurrency),
            ordered=ordered,
        )

    async def is_ready(self, *, model: str | None = None) -> bool:
        """Whether the model answers a real inference now; Triton's health endpoint stays green when it cannot."""
        try:
            await self.predict(model=model)
        except GenderClientError:
            return False
        return True

    async def close(self) -> None:
        """Closes the connections; a closed client cannot be used again."""
        self._closed = True
        await self._background.close()
        for transport in self._transports:
            await transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _set_up(self) -> None:
        self._background = BackgroundTasks()

    async def _ask_other(self, call: Call, served: Prediction, request: InferenceRequest) -> None:
        try:
            other = self._read(call, await self._follow(self._once(request)), request.model)
        except GenderClientError as error:
            self._tell(call, served, request.model, error=error)
        else:
            self._tell(call, served, request.model, other=other)

    async def _follow(self, steps: Steps) -> Answer:
        flight = TaskFlight(self._send)
        outcome: Outcome = None
        try:
            while True:
                match steps.send(outcome):
                    case Send(request, patience_s):
                        outcome = await flight.send(request, patience_s)
                    case Wait():
                        outcome = await flight.wait(None)
                    case Sleep(seconds):
                        await asyncio.sleep(seconds)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        finally:
            await flight.cancel()

    async def _send(self, request: InferenceRequest) -> InferenceResponse | TransportError:
        transports = self._opened(open_async_transport)
        index = self._replicas.pick()
        try:
            response = await transports[index].infer(request)
        except TransportError as failure:
            self._replicas.report(index, failure.status)
            return failure
        except asyncio.CancelledError:
            # Nobody waits for it any more: as slow as that is too slow.
            self._replicas.report(index, Status.DEADLINE_EXCEEDED)
            raise
        self._replicas.report(index, None)
        return response
