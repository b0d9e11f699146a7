"""What both clients share: arguments, extensions and state. No I/O except reading avatar files."""

import copy
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar, Unpack

from genderclient import _codec
from genderclient._avatar import Avatar, encode_avatar
from genderclient._config.checks import check_type, checked_timeout
from genderclient._config.connection_options import ConnectionOptions
from genderclient._config.request_options import (
    DEFAULT_MODEL,
    DEFAULT_RETRY,
    DEFAULT_TIMEOUT_S,
    DEFAULT_UNKNOWN_BELOW,
    RequestChanges,
    RequestOptions,
)
from genderclient._flow import Call, Extension, Flow
from genderclient._missing import NicknameFallback, is_missing
from genderclient._models import Prediction
from genderclient._retry import Retry, RetryBudget, send_with_retries
from genderclient._transports.base import InferenceRequest
from genderclient._transports.credentials import Credentials, Tls
from genderclient._transports.pool import TransportPool
from genderclient._transports.url import ServerUrl, server_urls

if TYPE_CHECKING:
    from genderclient.experiments import Experiment
    from genderclient.hedging import Hedge

T = TypeVar("T")

__all__ = ["DEFAULT_MODEL", "DEFAULT_RETRY", "DEFAULT_TIMEOUT_S", "DEFAULT_UNKNOWN_BELOW", "BaseClient"]

DEFAULT_OPTIONS: Final = ConnectionOptions()
REQUEST_ID: Final = "x-request-id"
NO_RETRY: Final = Retry(attempts=1)
_FALLBACK: Final = NicknameFallback()


class BaseClient(ABC, Generic[T]):
    """Turns arguments into flows. T is the type of transport."""

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        *,
        model: str = DEFAULT_MODEL,
        model_version: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        unknown_below: float = DEFAULT_UNKNOWN_BELOW,
        retry: Retry = DEFAULT_RETRY,
        headers: Mapping[str, str] | None = None,
        ignore_invalid_avatar: bool = False,
        allow_paths: bool = True,
        hedge: "Hedge | None" = None,
        experiment: "Experiment | None" = None,
        tls: Tls | None = None,
        token: str | None = None,
        options: ConnectionOptions = DEFAULT_OPTIONS,
        transport: T | None = None,
    ) -> None:
        self._request_options = RequestOptions(
            model=model,
            model_version=model_version,
            timeout_s=timeout_s,
            unknown_below=unknown_below,
            retry=retry,
            headers={} if headers is None else headers,
            ignore_invalid_avatar=ignore_invalid_avatar,
            allow_paths=allow_paths,
        )
        for name, extension in (("hedge", hedge), ("experiment", experiment)):
            if extension is not None and not hasattr(extension, "extension"):
                raise TypeError(f"{name}: got {type(extension).__name__}, expected {name.capitalize()} or None")
        check_type("options", options, ConnectionOptions, "ConnectionOptions")
        if transport is not None and not hasattr(transport, "infer"):
            raise TypeError(f"transport: got {type(transport).__name__}, expected a transport or None")
        self._urls = server_urls(url)
        self._credentials = Credentials.for_servers(self._urls, tls, token)
        self._options = options
        self._experiment = experiment
        self._transport = transport
        # Innermost first: shadow requests of an experiment are not hedged.
        extended = [each for each in (experiment, hedge) if each]
        self._pool: TransportPool[T] = TransportPool(
            len(self._urls) if transport is None else 1,
            open_all=lambda: [self._open_transport(url) for url in self._urls] if transport is None else [transport],
            make_extensions=lambda: [each.extension() for each in extended],
            uses_grpc=transport is None and any(url.is_grpc for url in self._urls),
        )

    def with_options(self, **changes: Unpack[RequestChanges]) -> Self:
        """Returns a client with other defaults for its requests. Both share connections: closing one closes both."""
        unknown = ", ".join(changes.keys() - RequestChanges.__annotations__.keys())
        if unknown:
            raise TypeError(f"{unknown}: expected one of {', '.join(RequestChanges.__annotations__)}")
        derived = copy.copy(self)
        derived._request_options = replace(self._request_options, **changes)
        return derived

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
        if user_id is not None:
            check_type("user_id", user_id, str, "str or None")
            if self._experiment is None:
                raise ValueError("user_id: this client has no experiment; give it one, or omit the id")
        if model is not None:
            check_type("model", model, str, "the name of a model, or None")
        check_type("embedding", embedding, bool, "True or False")
        options = self._request_options
        name = None if is_missing(nickname) else nickname
        call = Call(
            encode=lambda: _codec.encode(avatar=self._encode_avatar(avatar), nickname=name),
            encode_without_avatar=None if name is None else lambda: _codec.encode(avatar=b"", nickname=name),
            model=model,
            user_id=user_id,
            timeout_s=options.timeout_s if timeout_s is None else checked_timeout(timeout_s),
            embedding=embedding,
            headers=options.headers,
        )
        handle: Callable[[Call], Flow[Prediction]] = self._infer
        fallback = [_FALLBACK] if options.ignore_invalid_avatar else []
        for extension in [*fallback, *self._pool.extensions, *_telemetry()]:
            handle = partial(extension.handle, proceed=handle)
        return handle(call)

    def _encode_avatar(self, avatar: "Avatar | None") -> bytes:
        return b"" if is_missing(avatar) else encode_avatar(avatar, allow_paths=self._request_options.allow_paths)

    def _infer(self, call: Call) -> Flow[Prediction]:
        """The innermost part of a flow."""
        options, request_id = self._request_options, uuid.uuid4().hex
        request = InferenceRequest(
            model=call.model or options.model,
            # A version belongs to the client's own model.
            version="" if call.model and call.model != options.model else options.model_version or "",
            inputs=call.encode(),
            timeout_s=call.timeout_s,
            request_id=request_id,
            # Triton's log has its own field for the id, a reverse proxy's has this header.
            headers={REQUEST_ID: request_id, **call.headers},
        )
        retry, budget = (options.retry, self._pool.budget) if call.retries else (NO_RETRY, RetryBudget())
        inference = yield from send_with_retries(request, retry, budget)
        return replace(
            _codec.decode(inference.response, unknown_below=options.unknown_below, embedding=call.embedding),
            latency_s=inference.latency_s,
            attempts=inference.requests,
            request_id=request_id,
        )

    def _models(self, model: str | None) -> Sequence[str]:
        """The models that must be ready: the named one, or all that an unnamed one could mean."""
        if model is not None:
            return [model]
        arms = () if self._experiment is None else self._experiment.arms
        holds_out = self._experiment is None or self._experiment.holdout > 0
        return [*arms, *([self._request_options.model] if holds_out else [])]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({','.join(map(str, self._urls))!r}, model={self._request_options.model!r})"


def _telemetry() -> list[Extension]:
    """Telemetry, if the application uses OpenTelemetry: an application that does has imported it."""
    if sys.modules.get("opentelemetry") is None:
        return []
    try:
        from genderclient.telemetry import telemetry
    except ImportError:
        return []
    return [telemetry()]
