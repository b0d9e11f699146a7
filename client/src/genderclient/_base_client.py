"""What both clients share: arguments, extensions and state. No I/O except reading avatar files."""

import math
import os
import sys
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from genderclient import _codec
from genderclient._avatar import encode_avatar
from genderclient._flow import Call, Extension, Flow
from genderclient._missing import NicknameFallback, is_missing
from genderclient._models import Prediction
from genderclient._retry import Retry, RetryBudget, send_with_retries
from genderclient._transports.base import InferenceRequest
from genderclient._transports.credentials import Credentials, Tls
from genderclient._transports.options import ConnectionOptions
from genderclient._transports.replicas import Replicas
from genderclient._transports.url import ServerUrl, server_urls

if TYPE_CHECKING:
    from genderclient._avatar import Avatar
    from genderclient.experiments import Experiment
    from genderclient.hedging import Hedge

T = TypeVar("T")

DEFAULT_MODEL: Final = "gender_mobilenet"
DEFAULT_TIMEOUT_S: Final = 10.0
DEFAULT_UNKNOWN_BELOW: Final = 0.65
DEFAULT_RETRY: Final = Retry()
DEFAULT_OPTIONS: Final = ConnectionOptions()
NO_RETRY: Final = Retry(attempts=1)


class BaseClient(ABC, Generic[T]):
    """Turns arguments into flows. T is the type of transport."""

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        *,
        model: str = DEFAULT_MODEL,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        unknown_below: float = DEFAULT_UNKNOWN_BELOW,
        retry: Retry = DEFAULT_RETRY,
        hedge: "Hedge | None" = None,
        experiment: "Experiment | None" = None,
        tls: Tls | None = None,
        token: str | None = None,
        options: ConnectionOptions = DEFAULT_OPTIONS,
        ignore_invalid_avatar: bool = False,
        allow_paths: bool = True,
        transport: T | None = None,
    ) -> None:
        if not 0 <= unknown_below <= 1:
            raise ValueError(f"unknown_below: got {unknown_below}, expected a probability from 0 to 1")
        self._urls = server_urls(url)
        self._credentials = Credentials.for_servers(self._urls, tls, token)
        self._model = model
        self._timeout_s = checked_timeout(timeout_s)
        self._unknown_below = unknown_below
        self._options = options
        self._retry = retry
        self._has_experiment = experiment is not None
        self._allow_paths = allow_paths
        # Innermost first: shadow requests of an experiment are not hedged.
        self._extensions: list[Extension] = [NicknameFallback()] if ignore_invalid_avatar else []
        self._extensions += [each.extension() for each in (experiment, hedge) if each]
        self._transports: list[T] = [] if transport is None else [transport]
        self._replicas = Replicas(len(self._transports) or len(self._urls))
        self._budget = RetryBudget(self._replicas.any_available)
        self._closed = False
        self._process = os.getpid()
        self._lock = threading.Lock()

    @abstractmethod
    def _open_transport(self, url: ServerUrl) -> T:
        """Opens the transport to one server."""

    def _flow(
        self,
        avatar: "Avatar | None",
        nickname: str | None,
        model: str | None,
        user_id: str | None,
        timeout_s: float | None,
        embedding: bool,
    ) -> Flow[Prediction]:
        """The steps of one prediction, from the arguments to the result."""
        if user_id is not None and not self._has_experiment:
            raise ValueError("user_id: this client has no experiment; give it one, or omit the id")
        name = None if is_missing(nickname) else nickname
        call = Call(
            encode=lambda: _codec.encode(avatar=self._encode_avatar(avatar), nickname=name),
            encode_without_avatar=None if name is None else lambda: _codec.encode(avatar=b"", nickname=name),
            model=model,
            user_id=user_id,
            timeout_s=self._timeout_s if timeout_s is None else checked_timeout(timeout_s),
            embedding=embedding,
        )
        handle: Callable[[Call], Flow[Prediction]] = self._infer
        for extension in [*self._extensions, *_telemetry()]:
            handle = partial(extension.handle, proceed=handle)
        return handle(call)

    def _encode_avatar(self, avatar: "Avatar | None") -> bytes:
        return b"" if is_missing(avatar) else encode_avatar(avatar, allow_paths=self._allow_paths)

    def _infer(self, call: Call) -> Flow[Prediction]:
        """The innermost part of a flow."""
        request = InferenceRequest(
            model=call.model or self._model,
            inputs=call.encode(),
            timeout_s=call.timeout_s,
            request_id=uuid.uuid4().hex,
            headers=call.headers,
        )
        retry, budget = (self._retry, self._budget) if call.retries else (NO_RETRY, RetryBudget())
        inference = yield from send_with_retries(request, retry, budget)
        return replace(
            _codec.decode(inference.response, unknown_below=self._unknown_below, embedding=call.embedding),
            latency_s=inference.latency_s,
            attempts=inference.requests,
            request_id=request.request_id,
        )

    def _open(self) -> list[T]:
        """Returns the transports to all servers. The first request opens them."""
        # Checked before the lock, which another thread may have held at the fork.
        if self._process != os.getpid():
            raise RuntimeError("the client was created before this process was forked; create one in each process")
        with self._lock:
            if self._closed:
                raise RuntimeError("the client is closed; create a new one")
            if not self._transports:
                self._transports = [self._open_transport(url) for url in self._urls]
            return self._transports

    def __repr__(self) -> str:
        return f"{type(self).__name__}({','.join(map(str, self._urls))!r}, model={self._model!r})"


def checked_timeout(timeout_s: float) -> float:
    """Returns a positive, finite number of seconds. Raises ValueError for any other."""
    if not (math.isfinite(timeout_s) and timeout_s > 0):
        raise ValueError(f"timeout_s: got {timeout_s}, expected a positive number of seconds")
    return timeout_s


def _telemetry() -> list[Extension]:
    """Telemetry, if the application uses OpenTelemetry: an application that does has imported it."""
    if sys.modules.get("opentelemetry") is None:
        return []
    try:
        from genderclient.telemetry import telemetry
    except ImportError:
        return []
    return [telemetry()]
