"""What both clients share: building requests, reading answers, deciding what comes next; no I/O but reading files."""

import math
import os
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from genderclient import _codec
from genderclient._avatar import encode_avatar
from genderclient._exceptions import GenderClientError
from genderclient._models import Prediction
from genderclient._retry import Answer, Retry, RetryBudget, Steps, steps
from genderclient._transports.base import InferenceRequest
from genderclient._transports.credentials import Access, Tls
from genderclient._transports.options import ConnectionOptions
from genderclient._transports.replicas import Replicas
from genderclient._transports.url import ServerUrl, server_urls
from genderclient.experiments.experiment import Experiment, Exposure, Shadow
from genderclient.hedging import Hedge, HedgeBudget
from genderclient.telemetry import Observation

if TYPE_CHECKING:
    from genderclient._avatar import Avatar

T = TypeVar("T")

DEFAULT_MODEL: Final = "gender_mobilenet"
DEFAULT_TIMEOUT_S: Final = 10.0
DEFAULT_UNKNOWN_BELOW: Final = 0.65
DEFAULT_RETRY: Final = Retry()
DEFAULT_OPTIONS: Final = ConnectionOptions()


@dataclass(frozen=True, slots=True)
class Call:
    """A prediction under way."""

    request: InferenceRequest
    embedding: bool
    steps: Steps
    exposure: Exposure | None
    observation: Observation


class BaseClient(ABC, Generic[T]):
    """Builds requests from arguments and predictions from responses; T is the kind of transport."""

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        *,
        model: str = DEFAULT_MODEL,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        unknown_below: float = DEFAULT_UNKNOWN_BELOW,
        retry: Retry = DEFAULT_RETRY,
        hedge: Hedge | None = None,
        experiment: Experiment | None = None,
        tls: Tls | None = None,
        token: str | None = None,
        options: ConnectionOptions = DEFAULT_OPTIONS,
        transport: T | None = None,
    ) -> None:
        if not 0 <= unknown_below <= 1:
            raise ValueError(f"unknown_below: got {unknown_below}, expected a probability from 0 to 1")
        self._urls = server_urls(url)
        self._access = Access.to(self._urls, tls, token)
        self._model = model
        self._timeout_s = checked_timeout(timeout_s)
        self._unknown_below = unknown_below
        self._options = options
        self._retry = retry
        self._hedging = HedgeBudget(hedge) if hedge else None
        self._experiment = experiment
        self._transports: list[T] = [] if transport is None else [transport]
        self._replicas = Replicas(len(self._transports) or len(self._urls))
        self._budget = RetryBudget(self._replicas.any_well)
        self._closed = False
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._set_up()

    @abstractmethod
    def _set_up(self) -> None:
        """What each kind of client needs for itself; nothing is started here."""

    def _begin(
        self,
        observation: Observation,
        *,
        avatar: "Avatar | None",
        nickname: str | None,
        model: str | None,
        user_id: str | None,
        timeout_s: float | None,
        embedding: bool,
    ) -> Call:
        """What to send and how long to wait in between, until there is an answer to give to `_end`."""
        exposure = self._exposure(model, user_id)
        request = _codec.encode(
            avatar=encode_avatar(avatar),
            nickname=nickname,
            model=model or (exposure.arm if exposure else None) or self._model,
            timeout_s=self._timeout_s if timeout_s is None else checked_timeout(timeout_s),
            headers=observation.headers,
        )
        return Call(request, embedding, steps(request, self._retry, self._budget, self._hedging), exposure, observation)

    def _end(self, call: Call, answer: Answer) -> Prediction:
        """The prediction in an answer, after the experiment was told of it."""
        prediction = self._read(call, answer, call.exposure.arm if call.exposure else None)
        call.observation.answered(prediction)
        if self._experiment and self._experiment.on_exposure and call.exposure:
            self._experiment.on_exposure(call.exposure)
        return prediction

    def _read(self, call: Call, answer: Answer, arm: str | None) -> Prediction:
        return replace(
            _codec.decode(answer.response, unknown_below=self._unknown_below, embedding=call.embedding),
            arm=arm,
            latency_s=answer.latency_s,
            attempts=answer.attempts,
            request_id=answer.request_id,
        )

    def _others(self, call: Call) -> Iterator[InferenceRequest]:
        """The same request to the arms that did not answer it, where the experiment wants them as shadows."""
        if self._experiment and self._experiment.on_shadow and call.exposure and call.exposure.arm:
            for arm in self._experiment.arms:
                if arm != call.exposure.arm:
                    yield replace(call.request, model=arm, request_id=uuid.uuid4().hex)

    def _once(self, request: InferenceRequest) -> Steps:
        return steps(request, Retry(attempts=1), RetryBudget())

    def _tell(
        self,
        call: Call,
        served: Prediction,
        model: str,
        *,
        other: Prediction | None = None,
        error: GenderClientError | None = None,
    ) -> None:
        """Tells the experiment what became of one of the `_others`."""
        assert self._experiment and self._experiment.on_shadow and call.exposure
        self._experiment.on_shadow(Shadow(exposure=call.exposure, served=served, model=model, other=other, error=error))

    def _exposure(self, model: str | None, user_id: str | None) -> Exposure | None:
        """The arm of the user, None for a call that is no part of an experiment."""
        if self._experiment is None:
            if user_id is not None:
                raise ValueError("user_id: this client has no experiment; give it one, or leave the id out")
            return None
        if model is not None:
            return None
        if user_id is None:
            raise ValueError("user_id: this client has an experiment, which splits users by it; pass it, or a model")
        return Exposure(self._experiment.name, user_id, self._experiment.arm_of(user_id))

    def _opened(self, open_one: Callable[[ServerUrl, Access, ConnectionOptions], T]) -> list[T]:
        """The transport to each server; they are opened by the first who asks."""
        # Before the lock, which somebody may have held at the fork.
        if self._process != os.getpid():
            raise RuntimeError("the client was made before this process was forked; make one in each process")
        with self._lock:
            if self._closed:
                raise RuntimeError("the client is closed; make a new one")
            if not self._transports:
                self._transports = [open_one(url, self._access, self._options) for url in self._urls]
            return self._transports

    def __repr__(self) -> str:
        return f"{type(self).__name__}({','.join(map(str, self._urls))!r}, model={self._model!r})"


def checked_timeout(timeout_s: float) -> float:
    """A number of seconds that time can pass. Raises ValueError for any other."""
    if not (math.isfinite(timeout_s) and timeout_s > 0):
        raise ValueError(f"timeout_s: got {timeout_s}, expected a positive number of seconds")
    return timeout_s
