"""The client for an event loop: adds sending to `BaseClient`."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from typing import Final

from genderclient._avatar import Avatar
from genderclient._base_client import BaseClient
from genderclient._client import POLL_S
from genderclient._compat import Self
from genderclient._config.checks import check_iterable, checked_timeout
from genderclient._exceptions import DeadlineExceeded, GenderClientError, ModelNotFound, Unavailable
from genderclient._features import UserFeatures
from genderclient._flow import Flow, Result, TaskRunner
from genderclient._many import (
    Embedded,
    Matched,
    Picture,
    Ranked,
    Scored,
    Screened,
    User,
    ask_in_tasks,
    checked_concurrency,
    checked_item,
)
from genderclient._models import Embedding, Neighbors, Prediction, Ranking, Screening
from genderclient._questions.gender import PREDICT, predict_question
from genderclient._questions.pictures import embed_question, similar_question
from genderclient._questions.question import R
from genderclient._questions.ranking import RANK, checked_options, rank_question, seed_of_user
from genderclient._questions.screening import screen_question
from genderclient._transports import open_async_transport
from genderclient._transports.base import AsyncTransport, InferenceRequest, Status, TransportError
from genderclient._transports.url import ServerUrl

MANY: Final = (Iterable, AsyncIterable)


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
        question = predict_question(avatar, nickname, embedding, self._request_options)
        return await self._run(self._flow(question, model=model, user_id=user_id, timeout_s=timeout_s))

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
        check_iterable("users", users, "an iterable of User", MANY)
        self._check_options(model, timeout_s)
        predict_question(None, None, embedding, self._request_options)

        async def ask(_: int, user: User) -> Prediction:
            checked_item(user, User)
            return await self.predict(
                avatar=user.avatar,
                nickname=user.nickname,
                user_id=self._used_id(PREDICT, user.id),
                model=model,
                timeout_s=timeout_s,
                embedding=embedding,
            )

        return ask_in_tasks(ask, users, Scored, concurrency=checked_concurrency(concurrency), ordered=ordered)

    async def embed(
        self,
        picture: Avatar | None = None,
        title: str | None = None,
        *,
        model: str | None = None,
        timeout_s: float | None = None,
    ) -> Embedding:
        """Embeds a greeting picture, its title, or both, like `Client.embed`."""
        question = embed_question(picture, title, self._request_options)
        return await self._run(self._flow(question, model=model, timeout_s=timeout_s))

    def embed_many(
        self,
        pictures: Iterable[Picture] | AsyncIterable[Picture],
        *,
        concurrency: int = 16,
        ordered: bool = True,
        model: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Embedded]:
        """Embeds any number of pictures, like `Client.embed_many`."""
        check_iterable("pictures", pictures, "an iterable of Picture", MANY)
        self._check_options(model, timeout_s)

        async def ask(_: int, each: Picture) -> Embedding:
            checked_item(each, Picture)
            return await self.embed(each.picture, each.title, model=model, timeout_s=timeout_s)

        return ask_in_tasks(ask, pictures, Embedded, concurrency=checked_concurrency(concurrency), ordered=ordered)

    async def similar(
        self, picture: Avatar | int, k: int = 10, *, model: str | None = None, timeout_s: float | None = None
    ) -> Neighbors:
        """Finds the most similar pictures of the gallery, like `Client.similar`."""
        question = similar_question(picture, k, self._request_options)
        return await self._run(self._flow(question, model=model, timeout_s=timeout_s))

    def similar_many(
        self,
        pictures: Iterable[Avatar | int] | AsyncIterable[Avatar | int],
        k: int = 10,
        *,
        concurrency: int = 16,
        ordered: bool = True,
        model: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Matched]:
        """Searches for any number of pictures, like `Client.similar_many`."""
        check_iterable("pictures", pictures, "an iterable of pictures or ids", MANY)
        self._check_options(model, timeout_s)
        similar_question(0, k, self._request_options)

        async def ask(_: int, picture: Avatar | int) -> Neighbors:
            return await self.similar(picture, k, model=model, timeout_s=timeout_s)

        return ask_in_tasks(ask, pictures, Matched, concurrency=checked_concurrency(concurrency), ordered=ordered)

    async def screen(self, picture: Avatar, *, model: str | None = None, timeout_s: float | None = None) -> Screening:
        """Judges whether a picture may be shown to users, like `Client.screen`."""
        question = screen_question(picture, self._request_options)
        return await self._run(self._flow(question, model=model, timeout_s=timeout_s))

    def screen_many(
        self,
        pictures: Iterable[Avatar] | AsyncIterable[Avatar],
        *,
        concurrency: int = 16,
        ordered: bool = True,
        model: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Screened]:
        """Screens any number of pictures, like `Client.screen_many`."""
        check_iterable("pictures", pictures, "an iterable of pictures", MANY)
        self._check_options(model, timeout_s)

        async def ask(_: int, picture: Avatar) -> Screening:
            return await self.screen(picture, model=model, timeout_s=timeout_s)

        return ask_in_tasks(ask, pictures, Screened, concurrency=checked_concurrency(concurrency), ordered=ordered)

    async def rank(
        self,
        *,
        avatar: Avatar | None = None,
        nickname: str | None = None,
        features: Prediction | UserFeatures | None = None,
        liked: Iterable[int] = (),
        among: Iterable[int] | None = None,
        k: int = 10,
        seed: int | None = None,
        personalize: bool = True,
        model: str | None = None,
        user_id: str | None = None,
        timeout_s: float | None = None,
        embedding: bool = False,
    ) -> Ranking:
        """Ranks the pictures of the gallery for one user, like `Client.rank`."""
        question = rank_question(
            avatar,
            nickname,
            features,
            liked=liked,
            among=among,
            k=k,
            seed=seed,
            personalize=personalize,
            embedding=embedding,
            options=self._request_options,
        )
        return await self._run(self._flow(question, model=model, user_id=user_id, timeout_s=timeout_s))

    def rank_many(
        self,
        users: Iterable[User] | AsyncIterable[User],
        *,
        concurrency: int = 16,
        ordered: bool = True,
        among: Iterable[int] | None = None,
        k: int = 10,
        seed: int | None = None,
        personalize: bool = True,
        model: str | None = None,
        timeout_s: float | None = None,
        embedding: bool = False,
    ) -> AsyncIterator[Ranked]:
        """Ranks for any number of users, like `Client.rank_many`."""
        check_iterable("users", users, "an iterable of User", MANY)
        self._check_options(model, timeout_s)
        candidates = checked_options(among, k, seed, personalize, embedding, self._request_options)

        async def ask(index: int, user: User) -> Ranking:
            checked_item(user, User)
            return await self.rank(
                avatar=user.avatar,
                nickname=user.nickname,
                features=user.features,
                liked=user.liked,
                among=candidates,
                k=k,
                seed=None if seed is None else seed_of_user(seed, user.id or index),
                personalize=personalize,
                model=model,
                user_id=self._used_id(RANK, user.id),
                timeout_s=timeout_s,
                embedding=embedding,
            )

        return ask_in_tasks(ask, users, Ranked, concurrency=checked_concurrency(concurrency), ordered=ordered)

    async def is_ready(self, *, model: str | None = None) -> bool:
        """Whether the model serves an inference now, like `Client.is_ready`."""
        try:
            for each in self._models(model):
                await self._run(self._probe(each))
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
                await self._run(self._poll(models[0], left_s))
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

    async def _run(self, flow: Flow[R]) -> R:
        return await TaskRunner(self._send).run(flow)

    async def _send(self, request: InferenceRequest) -> Result:
        await self._leave_other_loop()
        transports, replicas = self._pool.transports(), self._pool.replicas
        index = replicas.pick(request.tried)
        request.tried.append(index)
        started_s = time.monotonic()
        try:
            response = await transports[index].infer(request)
        except TransportError as failure:
            replicas.report(index, failure.status)
            return failure
        except asyncio.CancelledError:
            # One that was late enough for a hedge counts as one that missed its deadline. Otherwise the caller has
            # left, which says nothing about the server.
            if self._hedge and time.monotonic() - started_s >= self._hedge.after_s:
                replicas.report(index, Status.DEADLINE_EXCEEDED)
            raise
        replicas.report(index, None)
        return response
