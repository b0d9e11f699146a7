"""The client for threads: adds sending to `BaseClient`."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from genderclient._avatar import Avatar
from genderclient._base_client import BaseClient
from genderclient._compat import Self
from genderclient._config.checks import check_iterable, checked_timeout
from genderclient._exceptions import DeadlineExceeded, GenderClientError, ModelNotFound, Unavailable
from genderclient._features import UserFeatures
from genderclient._flow import Flow, Result, ThreadRunner
from genderclient._many import (
    Embedded,
    Matched,
    Picture,
    Ranked,
    Scored,
    Screened,
    User,
    ask_in_threads,
    checked_concurrency,
    checked_item,
)
from genderclient._models import Embedding, Neighbors, Prediction, Ranking, Screening
from genderclient._questions.gender import PREDICT, predict_question
from genderclient._questions.pictures import embed_question, similar_question
from genderclient._questions.question import R
from genderclient._questions.ranking import RANK, checked_options, rank_question, seed_of_user
from genderclient._questions.screening import screen_question
from genderclient._transports import open_transport
from genderclient._transports.base import InferenceRequest, Transport, TransportError
from genderclient._transports.url import ServerUrl

POLL_S: Final = 0.2


class Client(BaseClient[Transport]):
    """Asks one or more Triton servers. Thread-safe; connects with the first call.

    Args:
        url: `grpc://host:port` or `http://host:port`, encrypted as `grpcs://` and `https://`. Several URLs are used in
            turn. Defaults to the environment variable `GENDERCLIENT_URL`, then to `grpc://127.0.0.1:8001`.
        model: The model of `predict`.
        model_version: The version of that model, such as "1". By default, the one that the server chooses.
        timeout_s: Seconds for one call, retries included.
        unknown_below: A prediction whose probability is lower has the gender `unknown`.
        retry: When to resend a request that was refused or lost.
        headers: Sent with every request, as gRPC metadata or HTTP headers. Names are lower case.
        hedge: When to send a request to another server too.
        experiment: Chooses the model by user.
        on_impression: Called with each ranking of a user whose `user_id` is known, for example an `ImpressionLog`.
        tls: Certificates for encrypted URLs.
        token: Sent with every request as a bearer token.
        options: Options of all connections.
        ignore_invalid_avatar: Whether to predict from the nickname if only the avatar is invalid. The prediction then
            has an `avatar_error`.
        allow_paths: Whether an avatar may be the path of a file. Set it to False if avatars come from users, who could
            name any file of your service.
        transport: Replaces the network, for tests.
    """

    def predict(
        self,
        *,
        avatar: Avatar | None = None,
        nickname: str | None = None,
        model: str | None = None,
        user_id: str | None = None,
        timeout_s: float | None = None,
        embedding: bool = False,
    ) -> Prediction:
        """Predicts the gender of one user.

        Args:
            avatar: A path, the bytes of a JPEG, PNG, WebP, GIF or BMP, the same as base64 or a `data:` URL, a file
                opened in binary mode, a PIL image, or a uint8 array: gray [H,W], RGB [H,W,3] or RGBA [H,W,4].
            nickname: The nickname. For avatar and nickname alike, None, an empty value, NaN and `pandas.NA` mean that
                there is none.
            model: Overrides the client's model. The call is then not part of the client's experiment.
            user_id: Assigns the user to an arm of the client's experiment.
            timeout_s: Overrides the client's timeout.
            embedding: Whether to return the embedding, the fused feature of 256 numbers.

        Raises:
            TypeError: If an argument has the wrong type.
            ValueError: If an argument has an invalid value.
            GenderClientError: If there is no prediction.
        """
        question = predict_question(avatar, nickname, embedding, self._request_options)
        return self._run(self._flow(question, model=model, user_id=user_id, timeout_s=timeout_s))

    def predict_many(
        self,
        users: Iterable[User],
        *,
        concurrency: int = 16,
        ordered: bool = True,
        model: str | None = None,
        timeout_s: float | None = None,
        embedding: bool = False,
    ) -> Iterator[Scored]:
        """Predicts for any number of users in constant memory.

        What `predict` would raise for a user becomes the `error` of that user's result.

        Args:
            users: Read only as far as needed; may be endless.
            concurrency: Number of simultaneous requests.
            ordered: Whether results keep the order of `users`. Otherwise they come as they complete.
            model: Overrides the client's model.
            timeout_s: Overrides the client's timeout, for each user.
            embedding: Whether to return the embeddings.
        """
        check_iterable("users", users, "an iterable of User")
        self._check_options(model, timeout_s)
        predict_question(None, None, embedding, self._request_options)

        def ask(_: int, user: User) -> Prediction:
            checked_item(user, User)
            return self.predict(
                avatar=user.avatar,
                nickname=user.nickname,
                user_id=self._used_id(PREDICT, user.id),
                model=model,
                timeout_s=timeout_s,
                embedding=embedding,
            )

        return ask_in_threads(ask, users, Scored, concurrency=checked_concurrency(concurrency), ordered=ordered)

    def embed(
        self,
        picture: Avatar | None = None,
        title: str | None = None,
        *,
        model: str | None = None,
        timeout_s: float | None = None,
    ) -> Embedding:
        """Embeds a greeting picture, its title, or both.

        Args:
            picture: Whatever an avatar may be: a path, bytes, base64, a file, a PIL image or an array.
            title: The picture's title. None and an empty one mean that there is none.
            model: Overrides the model `embed`.
            timeout_s: Overrides the client's timeout.

        Raises:
            TypeError: If an argument has the wrong type.
            ValueError: If there is neither picture nor title.
            GenderClientError: If there is no embedding.
        """
        question = embed_question(picture, title, self._request_options)
        return self._run(self._flow(question, model=model, timeout_s=timeout_s))

    def embed_many(
        self,
        pictures: Iterable[Picture],
        *,
        concurrency: int = 16,
        ordered: bool = True,
        model: str | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[Embedded]:
        """Embeds any number of pictures, like `predict_many`: a bad picture is the `error` of its own result."""
        check_iterable("pictures", pictures, "an iterable of Picture")
        self._check_options(model, timeout_s)

        def ask(_: int, each: Picture) -> Embedding:
            checked_item(each, Picture)
            return self.embed(each.picture, each.title, model=model, timeout_s=timeout_s)

        return ask_in_threads(ask, pictures, Embedded, concurrency=checked_concurrency(concurrency), ordered=ordered)

    def similar(
        self, picture: Avatar | int, k: int = 10, *, model: str | None = None, timeout_s: float | None = None
    ) -> Neighbors:
        """Finds the pictures of the gallery that are most similar to a picture.

        Args:
            picture: A picture, as for `embed`, or the id of one in the gallery, which is not its own neighbor.
            k: The number of neighbors, 1 to 100.
            model: Overrides the model `similar`.
            timeout_s: Overrides the client's timeout.

        Raises:
            TypeError: If an argument has the wrong type.
            ValueError: If an argument has an invalid value.
            GenderClientError: If there is no result; InvalidInput if the gallery has no such id.
        """
        question = similar_question(picture, k, self._request_options)
        return self._run(self._flow(question, model=model, timeout_s=timeout_s))

    def similar_many(
        self,
        pictures: Iterable[Avatar | int],
        k: int = 10,
        *,
        concurrency: int = 16,
        ordered: bool = True,
        model: str | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[Matched]:
        """Searches for any number of pictures, like `predict_many`: a bad one is the `error` of its own result."""
        check_iterable("pictures", pictures, "an iterable of pictures or ids")
        self._check_options(model, timeout_s)
        similar_question(0, k, self._request_options)

        def ask(_: int, picture: Avatar | int) -> Neighbors:
            return self.similar(picture, k, model=model, timeout_s=timeout_s)

        return ask_in_threads(ask, pictures, Matched, concurrency=checked_concurrency(concurrency), ordered=ordered)

    def screen(self, picture: Avatar, *, model: str | None = None, timeout_s: float | None = None) -> Screening:
        """Judges whether a picture may be shown to users, for example in the gallery.

        Args:
            picture: A picture, as for `embed`.
            model: Overrides the model `screen`.
            timeout_s: Overrides the client's timeout.

        Raises:
            TypeError: If an argument has the wrong type.
            ValueError: If there is no picture.
            GenderClientError: If there is no result.
        """
        question = screen_question(picture, self._request_options)
        return self._run(self._flow(question, model=model, timeout_s=timeout_s))

    def screen_many(
        self,
        pictures: Iterable[Avatar],
        *,
        concurrency: int = 16,
        ordered: bool = True,
        model: str | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[Screened]:
        """Screens any number of pictures, like `predict_many`: a bad one is the `error` of its own result."""
        check_iterable("pictures", pictures, "an iterable of pictures")
        self._check_options(model, timeout_s)

        def ask(_: int, picture: Avatar) -> Screening:
            return self.screen(picture, model=model, timeout_s=timeout_s)

        return ask_in_threads(ask, pictures, Screened, concurrency=checked_concurrency(concurrency), ordered=ordered)

    def rank(
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
        """Ranks the pictures of the gallery by how likely the user is to like them.

        Args:
            avatar: The avatar, as for `predict`.
            nickname: The nickname, as for `predict`.
            features: Takes the place of avatar and nickname: a prediction with its embedding, or what was stored of
                one. The server then decodes no avatar.
            liked: The ids of the pictures that the user liked, newest first. The first 50 count; ids that the gallery
                does not know are ignored.
            among: The ids of at most 1,000 pictures to choose from. By default, the whole gallery.
            k: The number of pictures, 1 to 20. Fewer are returned if there are not as many.
            seed: Explores: the list is drawn at random by the scores, the same list for the same seed. By default, the
                best pictures are returned.
            personalize: False ranks as if nothing were known of the user: what most users like comes first.
            model: Overrides `rank_mobilenet`, or `rank_embedding` with `features`. The call is then not part of the
                client's experiment.
            user_id: Assigns the user to an arm of the client's experiment, and names the user in impressions.
            timeout_s: Overrides the client's timeout.
            embedding: Whether the ranking's prediction has its embedding, to store it as `features`.

        Raises:
            TypeError: If an argument has the wrong type.
            ValueError: If an argument has an invalid value.
            GenderClientError: If there is no ranking.
        """
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
        return self._run(self._flow(question, model=model, user_id=user_id, timeout_s=timeout_s))

    def rank_many(
        self,
        users: Iterable[User],
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
    ) -> Iterator[Ranked]:
        """Ranks for any number of users, like `predict_many`.

        The other arguments are those of `rank`, for all users. Each user explores with a seed of their own, which
        follows from `seed` and the user's id, or the position of a user without one.
        """
        check_iterable("users", users, "an iterable of User")
        self._check_options(model, timeout_s)
        candidates = checked_options(among, k, seed, personalize, embedding, self._request_options)

        def ask(index: int, user: User) -> Ranking:
            checked_item(user, User)
            return self.rank(
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

        return ask_in_threads(ask, users, Ranked, concurrency=checked_concurrency(concurrency), ordered=ordered)

    def is_ready(self, *, model: str | None = None) -> bool:
        """Whether the model serves an inference now. Triton's own health endpoint does not try one.

        Without a `model`, all arms of the client's experiment must.
        """
        try:
            for each in self._models(model):
                self._run(self._probe(each))
        except GenderClientError:
            return False
        return True

    def wait_until_ready(self, timeout_s: float = 60.0, *, model: str | None = None) -> None:
        """Waits until the model serves an inference.

        Raises:
            GenderClientError: The last reason, after `timeout_s` seconds; immediately if waiting cannot help.
        """
        deadline_s = time.monotonic() + checked_timeout(timeout_s)
        models = deque(self._models(model))
        while models:
            left_s = max(deadline_s - time.monotonic(), POLL_S)
            try:
                self._run(self._poll(models[0], left_s))
                models.popleft()
                continue
            except (Unavailable, ModelNotFound, DeadlineExceeded):
                if time.monotonic() + POLL_S > deadline_s:
                    raise
            time.sleep(POLL_S)

    def close(self) -> None:
        """Closes the connections. A closed client cannot be used again."""
        transports = self._pool.close()
        for extension in self._pool.extensions:
            extension.close()
        for transport in transports:
            transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _open_transport(self, url: ServerUrl) -> Transport:
        return open_transport(url, self._credentials, self._options)

    def _run(self, flow: Flow[R]) -> R:
        return ThreadRunner(self._send).run(flow)

    def _send(self, request: InferenceRequest) -> Result:
        transports, replicas = self._pool.transports(), self._pool.replicas
        index = replicas.pick(request.tried)
        request.tried.append(index)
        try:
            response = transports[index].infer(request)
        except TransportError as failure:
            replicas.report(index, failure.status)
            return failure
        replicas.report(index, None)
        return response
