"""The client for an event loop: adds sending to `BaseClient`."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from typing import Self

from genderclient._avatar import Avatar
from genderclient._base_client import BaseClient
from genderclient._client import POLL_S
from genderclient._config.checks import check_type, checked_timeout
from genderclient._exceptions import DeadlineExceeded, GenderClientError, ModelNotFound, Unavailable
from genderclient._flow import Result, TaskRunner
from genderclient._many import Scored, User, checked_concurrency, predict_in_tasks
from genderclient._models import Prediction
from genderclient._transports import open_async_transport
from genderclient._transports.base import AsyncTransport, InferenceRequest, Status, TransportError
from genderclient._transports.url import ServerUrl


class AsyncClient(BaseClient[AsyncTransport]):
    """The `Client` for the tasks of an event loop; it takes the same arguments. In another loop, it connects again.

    Over gRPC, a cancelled task, a deadline and `close` also cancel the request on the server: the ensemble finishes its
    current step and starts no other. Over HTTP they only close the connection, which Triton (2.51) does not notice.
    """

    async def predict(
        self,
        *,
        avatar: Avatar | None = None,
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
        timeout_s: float | None = None,
        embedding: bool = False,
    ) -> AsyncIterator[Scored]:
        """Predicts for any number of users, like `Client.predict_many`."""
        check_type("users", users, (Iterable, AsyncIterable), "an iterable of User")
        return predict_in_tasks(
            lambda user: self.predict(
                avatar=user.avatar,
                nickname=user.nickname,
                user_id=user.id,
                model=model,
                timeout_s=timeout_s,
                embedding=embedding,
            ),
            users,
            concurrency=checked_concurrency(concurrency),
            ordered=ordered,
        )

    async def is_ready(self, *, model: str | None = None) -> bool:
        """Whether the model serves an inference now, like `Client.is_ready`."""
        try:
            for each in self._models(model):
                await self.predict(model=each)
        except GenderClientError:
            return False
        return True

    async def wait_until_ready(self, timeout_s: float = 60.0, *, model: str | None = None) -> None:
        """Waits until the model serves an inference, like `Client.wait_until_ready`."""
        deadline_s = time.monotonic() + checked_timeout(timeout_s)
        models = deque(self._models(model))
        while models:
            left_s = max(deadline_s - time.monotonic(), POLL_S)
            try:
                await self.predict(model=models[0], timeout_s=min(left_s, self._request_options.timeout_s))
                models.popleft()
                continue
            except (Unavailable, ModelNotFound, DeadlineExceeded):
                if time.monotonic() + POLL_S > deadline_s:
                    raise
            await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        """Closes the connections. A closed client cannot be used again."""
        transports = self._pool.close()
        for extension in self._pool.extensions:
            await extension.aclose()
        for transport in transports:
            await transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def _open_transport(self, url: ServerUrl) -> AsyncTransport:
        return open_async_transport(url, self._credentials, self._options)

    async def _leave_other_loop(self) -> None:
        """Closes the transports that belong to another event loop, because they cannot be used in this one."""
        loop = asyncio.get_running_loop()
        owner = self._pool.owner
        if owner is loop:
            return
        if isinstance(owner, asyncio.AbstractEventLoop) and owner.is_running():
            raise GenderClientError("the client is in use by another event loop; create a client for each event loop")
        for transport in self._pool.detach(loop):
            # Its loop may be closed, and its connections with it.
            with suppress(Exception):
                await transport.close()

    async def _send(self, request: InferenceRequest) -> Result:
        await self._leave_other_loop()
        transports, replicas = self._pool.transports(), self._pool.replicas
        index = replicas.pick()
        try:
            response = await transports[index].infer(request)
        except TransportError as failure:
            replicas.report(index, failure.status)
            return failure
        except asyncio.CancelledError:
            # A cancelled request counts as slow as one that missed its deadline.
            replicas.report(index, Status.DEADLINE_EXCEEDED)
            raise
        replicas.report(index, None)
        return response
