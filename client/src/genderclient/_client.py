"""The client for threads: adds sending to `BaseClient`."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, Self

from genderclient._avatar import Avatar
from genderclient._base_client import BaseClient
from genderclient._config.checks import check_type, checked_timeout
from genderclient._exceptions import DeadlineExceeded, GenderClientError, ModelNotFound, Unavailable
from genderclient._flow import Result, ThreadRunner
from genderclient._many import Scored, User, checked_concurrency, predict_in_threads
from genderclient._models import Prediction
from genderclient._transports import open_transport
from genderclient._transports.base import InferenceRequest, Transport, TransportError
from genderclient._transports.url import ServerUrl

POLL_S: Final = 0.2


class Client(BaseClient[Transport]):
    """Predicts through one or more Triton servers. Thread-safe; connects with the first call.

    Args:
        url: `grpc://host:port` or `http://host:port`, encrypted as `grpcs://` and `https://`. Several URLs are used in
            turn. Defaults to the environment variable `GENDERCLIENT_URL`, then to `grpc://127.0.0.1:8001`.
        model: The model to use.
        model_version: The version of that model, such as "1". By default, the one that the server chooses.
        timeout_s: Seconds for one prediction, retries included.
        unknown_below: A prediction whose probability is lower has the gender `unknown`.
        retry: When to resend a request that was refused or lost.
        headers: Sent with every request, as gRPC metadata or HTTP headers. Names are lower case.
        hedge: When to send a request to another server too.
        experiment: Chooses the model by user.
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
        flow = self._flow(avatar, nickname, model, user_id, timeout_s, embedding)
        return ThreadRunner(self._send).run(flow)

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
        check_type("users", users, Iterable, "an iterable of User")
        return predict_in_threads(
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

    def is_ready(self, *, model: str | None = None) -> bool:
        """Whether the model serves an inference now. Triton's own health endpoint does not try one.

        Without a `model`, all arms of the client's experiment must.
        """
        try:
            for each in self._models(model):
                self.predict(model=each)
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
                self.predict(model=models[0], timeout_s=min(left_s, self._request_options.timeout_s))
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

    def _send(self, request: InferenceRequest) -> Result:
        transports, replicas = self._pool.transports(), self._pool.replicas
        index = replicas.pick()
        try:
            response = transports[index].infer(request)
        except TransportError as failure:
            replicas.report(index, failure.status)
            return failure
        replicas.report(index, None)
        return response
