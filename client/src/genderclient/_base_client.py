"""What both clients share: arguments, extensions and state. No I/O except reading avatar files."""

import copy
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from genderclient._compat import Self, Unpack
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
from genderclient._missing import NicknameFallback
from genderclient._models import Metadata
from genderclient._questions.gender import PREDICT
from genderclient._questions.probes import probe
from genderclient._questions.question import Question, R
from genderclient._questions.ranking import RANK, RANK_MODEL
from genderclient._retry import Retry, RetryBudget, send_with_retries
from genderclient._transports.base import InferenceRequest
from genderclient._transports.credentials import Credentials, Tls
from genderclient._transports.pool import TransportPool
from genderclient._transports.url import ServerUrl, server_urls

if TYPE_CHECKING:
    from genderclient.experiments import Experiment
    from genderclient.hedging import Hedge
    from genderclient.impressions import Impression

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
        on_impression: "Callable[[Impression], object] | None" = None,
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
        if on_impression is not None and not callable(on_impression):
            raise TypeError(f"on_impression: got {type(on_impression).__name__}, expected a function or None")
        check_type("options", options, ConnectionOptions, "ConnectionOptions")
        if transport is not None and not hasattr(transport, "infer"):
            raise TypeError(f"transport: got {type(transport).__name__}, expected a transport or None")
        self._urls = server_urls(url)
        self._credentials = Credentials.for_servers(self._urls, tls, token)
        self._options = options
        self._experiment = experiment
        self._hedge = hedge
        self._on_impression = on_impression
        self._pool: TransportPool[T] = TransportPool(
            len(self._urls) if transport is None else 1,
            open_all=lambda: [self._open_transport(url) for url in self._urls] if transport is None else [transport],
            make_extensions=self._make_extensions,
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

    def _make_extensions(self) -> list[Extension]:
        """Innermost first: shadow requests of an experiment are neither hedged nor impressions."""
        extensions = [each.extension() for each in (self._experiment, self._hedge) if each]
        if self._on_impression:
            from genderclient.impressions import ImpressionReports

            extensions.append(ImpressionReports(self._on_impression))
        return extensions

    @abstractmethod
    def _open_transport(self, url: ServerUrl) -> T:
        """Opens the transport to one server."""

    def _flow(
        self,
        question: Question[R],
        *,
        model: str | None = None,
        user_id: str | None = None,
        timeout_s: float | None = None,
        retries: bool = True,
    ) -> Flow[R]:
        """The steps of one call, from the question to the result."""
        if user_id is not None:
            check_type("user_id", user_id, str, "str or None")
            if not self._uses_ids(question.name):
                use = "experiment or on_impression" if question.name == RANK else "experiment"
                raise ValueError(f"user_id: this client has no {use} for {question.name}; give it one, or omit the id")
        self._check_options(model, timeout_s)
        self._pool.check_open()
        options = self._request_options
        call = Call(
            question=question,
            model=model,
            user_id=user_id,
            timeout_s=options.timeout_s if timeout_s is None else timeout_s,
            headers=options.headers,
            retries=retries,
        )
        handle: Callable[[Call[R]], Flow[R]] = self._infer
        fallback = [_FALLBACK] if options.ignore_invalid_avatar else []
        for extension in [*fallback, *self._pool.extensions, *_telemetry()]:
            handle = partial(extension.handle, proceed=handle)
        return handle(call)

    @staticmethod
    def _check_options(model: str | None, timeout_s: float | None) -> None:
        """Checks what all calls of `*_many` have in common: a bad value fails at once, and not for each of them."""
        if model is not None:
            check_type("model", model, str, "the name of a model, or None")
            if not model:
                raise ValueError("model: got an empty name; expected the name of a model, or None")
        if timeout_s is not None:
            checked_timeout(timeout_s)

    def _infer(self, call: Call[R]) -> Flow[R]:
        """The innermost part of a flow."""
        options, question, request_id = self._request_options, call.question, uuid.uuid4().hex
        model = call.model or question.model
        request = InferenceRequest(
            model=model,
            # A version belongs to the client's own model.
            version=options.model_version or "" if model == options.model else "",
            inputs=question.encode(),
            timeout_s=call.timeout_s,
            request_id=request_id,
            # Triton's log has its own field for the id, a reverse proxy's has this header.
            headers={REQUEST_ID: request_id, **call.headers},
        )
        retry, budget = (options.retry, self._pool.budget) if call.retries else (NO_RETRY, RetryBudget())
        inference = yield from send_with_retries(request, retry, budget)
        metadata = Metadata(
            model=inference.response.model,
            version=inference.response.version,
            latency_s=inference.latency_s,
            attempts=inference.requests,
            request_id=request_id,
        )
        return question.decode(inference.response, metadata)

    def _models(self, model: str | None) -> Sequence[str]:
        """The models that must be ready: the named one, or all that an unnamed one could mean."""
        if model is not None:
            return [model]
        if self._experiment is None:
            return [self._request_options.model]
        own = self._request_options.model if self._experiment.question == PREDICT else RANK_MODEL
        return [*self._experiment.arms, *([own] if self._experiment.holdout > 0 else [])]

    def _probe(self, model: str) -> Flow[Any]:
        """An inference of one model, to see whether it is ready."""
        return self._flow(probe(model, self._request_options), model=model)

    def _poll(self, model: str, left_s: float) -> Flow[Any]:
        """One of many probes until `model` is ready. Its failures are expected, so they cost no retries."""
        timeout_s = min(left_s, self._request_options.timeout_s)
        return self._flow(probe(model, self._request_options), model=model, timeout_s=timeout_s, retries=False)

    def _used_id(self, question: str, user_id: str | None) -> str | None:
        """The id of one of many users, if this client has a use for it besides the seed."""
        return user_id if self._uses_ids(question) else None

    def _uses_ids(self, question: str) -> bool:
        splits = self._experiment is not None and self._experiment.question == question
        return splits or (question == RANK and self._on_impression is not None)

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
