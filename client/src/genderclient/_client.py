"""The client for threads: adds sending and waiting to what `BaseClient` decides."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from genderclient._base_client import BaseClient, Call, checked_timeout
from genderclient._exceptions import DeadlineExceeded, GenderClientError, ModelNotFound, Unavailable
from genderclient._flight import ThreadFlight
from genderclient._many import Scored, User, checked_concurrency, predict_in_threads
from genderclient._models import Prediction
from genderclient._retry import Answer, Outcome, Send, Sleep, Steps, Wait
from genderclient._transports import open_transport
from genderclient._transports.base import InferenceRequest, InferenceResponse, Transport, TransportError
from genderclient.experiments.background import BackgroundThreads
from genderclient.telemetry import observed

if TYPE_CHECKING:
    from genderclient._avatar import Avatar

POLL_S: Final = 0.2
MAX_HEDGED: Final = 1024


class Client(BaseClient[Transport]):
    """Asks a Triton server; one client serves all threads. Nothing is opened before the first call.

    `url` is `grpc://host:port` or `http://host:port`, or several of them, which are asked in turn; by default the
    environment's `GENDERCLIENT_URL`, else `grpc://127.0.0.1:8001`. `timeout_s` is how long one prediction may take in
    all, in seconds. A prediction whose probability is under `unknown_below` says `unknown`. Where nobody was there, or
    was too busy, `retry` says how often to ask again; where the answer is late, `hedge` asks another server too.
    `experiment` chooses the model by user. `grpcs://` and `https://` encrypt, `tls` says whom to trust, `token` goes
    with every request, and `options` are for every connection. `transport` replaces the network, for tests.
    """

    def predict(
        self,
        *,
        avatar: "Avatar | None" = None,
        nickname: str | None = None,
        model: str | None = None,
        user_id: str | None = None,
        timeout_s: float | None = None,
        embedding: bool = False,
    ) -> Prediction:
        """Guesses the gender of one user; `model` and `timeout_s` override the client's for this call.

        `avatar` is a path, the bytes of a JPEG, PNG, WebP, GIF or BMP, a file opened in binary mode, a PIL image, or
        a uint8 array: grey [H,W], RGB [H,W,3] or RGBA [H,W,4]. `None` or an empty nickname means there is none.
        `embedding=True` also returns the fused feature of 256 numbers. `user_id` decides the arm of the client's
        experiment; where `model` is named, the call is no part of it.

        Raises TypeError or ValueError for arguments that cannot be, and a GenderClientError for everything else.
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
            prediction = self._end(call, self._follow(call.steps))
        for request in self._others(call):
            self._background.submit(partial(self._ask_other, call, prediction, request))
        return prediction

    def predict_many(
        self, users: Iterable[User], *, concurrency: int = 16, ordered: bool = True, model: str | None = None
    ) -> Iterator[Scored]:
        """Guesses for any number of users, `concurrency` at once, in constant memory; `users` may never end.

        Results come in the order of `users`, or as they are ready where not `ordered`. What `predict` would raise for
        a user is that user's `error`, and harms nobody else. Raises ValueError for a concurrency under 1.
        """
        return predict_in_threads(
            lambda user: self.predict(avatar=user.avatar, nickname=user.nickname, user_id=user.id, model=model),
            users,
            concurrency=checked_concurrency(concurrency),
            ordered=ordered,
        )

    def is_ready(self, *, model: str | None = None) -> bool:
        """Whether the model answers a real inference now; Triton's health endpoint stays green when it cannot."""
        try:
            self.predict(model=model)
        except GenderClientError:
            return False
        return True

    def wait_until_ready(self, timeout_s: float = 60.0, *, model: str | None = None) -> None:
        """Asks until the model answers a real inference; raises the last reason why not after `timeout_s` seconds."""
        deadline_s = time.monotonic() + checked_timeout(timeout_s)
        while True:
            left_s = max(deadline_s - time.monotonic(), POLL_S)
            try:
                self.predict(model=model, timeout_s=min(left_s, self._timeout_s))
                return
            except (Unavailable, ModelNotFound, DeadlineExceeded):
                if time.monotonic() + POLL_S > deadline_s:
                    raise
            time.sleep(POLL_S)

    def close(self) -> None:
        """Closes the connections; a closed client cannot be used again."""
        with self._lock:
            self._closed = True
        self._background.close()
        self._hedges.shutdown(wait=False, cancel_futures=True)
        for transport in self._transports:
            transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set_up(self) -> None:
        self._background = BackgroundThreads()
        # As many as ever are needed: each request under way that is hedged waits in one.
        self._hedges = ThreadPoolExecutor(MAX_HEDGED, thread_name_prefix="genderclient-hedge")

    def _ask_other(self, call: Call, served: Prediction, request: InferenceRequest) -> None:
        try:
            other = self._read(call, self._follow(self._once(request)), request.model)
        except GenderClientError as error:
            self._tell(call, served, request.model, error=error)
        else:
            self._tell(call, served, request.model, other=other)

    def _follow(self, steps: Steps) -> Answer:
        flight = ThreadFlight(self._send, self._hedges)
        outcome: Outcome = None
        try:
            while True:
                match steps.send(outcome):
                    case Send(request, patience_s):
                        outcome = flight.send(request, patience_s)
                    case Wait():
                        outcome = flight.wait(None)
                    case Sleep(seconds):
                        time.sleep(seconds)
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    def _send(self, request: InferenceRequest) -> InferenceResponse | TransportError:
        transports = self._opened(open_transport)
        index = self._replicas.pick()
        try:
            response = transports[index].infer(request)
        except TransportError as failure:
            self._replicas.report(index, failure.status)
            return failure
        self._replicas.report(index, None)
        return response
