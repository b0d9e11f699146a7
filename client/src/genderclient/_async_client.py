"""The client for an event loop: adds sending to `BaseClient`."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import TYPE_CHECKING, Self

from genderclient._base_client import BaseClient
from genderclient._exceptions import GenderClientError
from genderclient._flow import Result, TaskRunner
from genderclient._many import Scored, User, checked_concurrency, predict_in_tasks
from genderclient._models import Prediction
from genderclient._transports import open_async_transport
from genderclient._transports.base import AsyncTransport, InferenceRequest, Status, TransportError
from genderclient._transports.url import ServerUrl

if TYPE_CHECKING:
    from genderclient._avatar import Avatar


class AsyncClient(BaseClient[AsyncTransport]):
    """The `Client` for the tasks of one event loop; it takes the same arguments.

    Over gRPC, a cancelled task, a deadline and `close` also cancel the request on the server: the ensemble finishes its
    current step and starts no other. Over HTTP they only close the connection, which Triton (2.51) does not notice.
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
        """Predicts the gender of one user, like `Client.predict`.

        An avatar given as a path is read in the event loop's thread. If your files are slow to read, pass bytes.
        """
        flow = self._flow(avatar, nickname, model, user_id, timeout_s, embedding)
        return await TaskRunner(self._send).run(flow)

    def predict_many(
        self,
        users: Iterable[User] | AsyncIterable[User],
        *,
        concurrency: int = 16,
        ordered: bool = True,
        model: str | None = None,
    ) -> AsyncIterator[Scored]:
        """Predicts for any number of users, like `Client.predict_many`."""
        return predict_in_tasks(
            lambda user: self.predict(avatar=user.avatar, nickname=user.nickname, user_id=user.id, model=model),
            users,
            concurrency=checked_concurrency(concurrency),
            ordered=ordered,
        )

    async def is_ready(self, *, model: str | None = None) -> bool:
        """Whether the model serves an inference now. Triton's own health endpoint does not try one."""
        try:
            await self.predict(model=model)
        except GenderClientError:
            return False
        return True

    async def close(self) -> None:
        """Closes the connections. A closed client cannot be used again."""
        self._closed = True
        for extension in self._extensions:
            await extension.aclose()
        for transport in self._transports:
            await transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def _open_transport(self, url: ServerUrl) -> AsyncTransport:
        return open_async_transport(url, self._credentials, self._options)

    async def _send(self, request: InferenceRequest) -> Result:
        transports = self._open()
        index = self._replicas.pick()
        try:
            response = await transports[index].infer(request)
        except TransportError as failure:
            self._replicas.report(index, failure.status)
            return failure
        except asyncio.CancelledError:
            # A cancelled request counts as slow as one that missed its deadline.
            self._replicas.report(index, Status.DEADLINE_EXCEEDED)
            raise
        self._replicas.report(index, None)
        return response
