"""The client: `BaseClient` knows what to ask and how to read the answer, `Client` adds only sending."""

import math
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from genderclient import _codec
from genderclient._avatar import encode_avatar
from genderclient._config import ServerUrl, default_url
from genderclient._exceptions import DeadlineExceeded, GenderClientError, ModelNotFound, Unavailable, error_for
from genderclient._models import Prediction
from genderclient._transports import open_transport
from genderclient._transports.base import InferenceRequest, InferenceResponse, Transport, TransportError

if TYPE_CHECKING:
    from genderclient._avatar import Avatar

DEFAULT_MODEL: Final = "gender_mobilenet"
DEFAULT_TIMEOUT_S: Final = 10.0
DEFAULT_UNKNOWN_BELOW: Final = 0.65

_POLL_S: Final = 0.2


class BaseClient:
    """Builds requests from arguments and predictions from responses; does no I/O but reading an avatar file."""

    def __init__(self, *, model: str, timeout_s: float, unknown_below: float) -> None:
        if not 0 <= unknown_below <= 1:
            raise ValueError(f"unknown_below: got {unknown_below}, expected a probability from 0 to 1")
        self._model = model
        self._timeout_s = _checked_timeout(timeout_s)
        self._unknown_below = unknown_below

    def _build_request(
        self,
        *,
        avatar: "Avatar | None",
        nickname: str | None,
        model: str | None,
        timeout_s: float | None,
        embedding: bool,
    ) -> InferenceRequest:
        return _codec.encode(
            avatar=encode_avatar(avatar),
            nickname=nickname,
            model=model or self._model,
            timeout_s=self._timeout_s if timeout_s is None else _checked_timeout(timeout_s),
            embedding=embedding,
        )

    def _read_response(self, response: InferenceResponse, *, embedding: bool) -> Prediction:
        return _codec.decode(response, unknown_below=self._unknown_below, embedding=embedding)


class Client(BaseClient):
    """Asks a Triton server; one client serves all threads. Nothing is opened before the first call.

    `url` is `grpc://host:port` or `http://host:port`, by default the environment's `GENDERCLIENT_URL`, else
    `grpc://127.0.0.1:8001`. `timeout_s` is how long one prediction may take, in seconds. A prediction whose
    probability is under `unknown_below` says `unknown`. `transport` replaces the network, for tests.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        model: str = DEFAULT_MODEL,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        unknown_below: float = DEFAULT_UNKNOWN_BELOW,
        transport: Transport | None = None,
    ) -> None:
        super().__init__(model=model, timeout_s=timeout_s, unknown_below=unknown_below)
        self._url = ServerUrl.parse(default_url() if url is None else url)
        self._transport = transport
        self._closed = False
        self._lock = threading.Lock()

    def predict(
        self,
        *,
        avatar: "Avatar | None" = None,
        nickname: str | None = None,
        model: str | None = None,
        timeout_s: float | None = None,
        embedding: bool = False,
    ) -> Prediction:
        """Guesses the gender of one user; `model` and `timeout_s` override the client's for this call.

        `avatar` is a path, the bytes of a JPEG, PNG, WebP, GIF or BMP, a file opened in binary mode, a PIL image, or
        a uint8 array: grey [H,W], RGB [H,W,3] or RGBA [H,W,4]. `None` or an empty nickname means there is none.
        `embedding=True` also returns the fused feature of 256 numbers.

        Raises TypeError for an argument of a wrong type, and a GenderClientError for everything else.
        """
        request = self._build_request(
            avatar=avatar, nickname=nickname, model=model, timeout_s=timeout_s, embedding=embedding
        )
        return self._read_response(self._send(request), embedding=embedding)

    def is_ready(self, *, model: str | None = None) -> bool:
        """Whether the model answers a real inference now; Triton's health endpoint stays green when it cannot."""
        try:
            self.predict(model=model)
        except GenderClientError:
            return False
        return True

    def wait_until_ready(self, timeout_s: float = 60.0, *, model: str | None = None) -> None:
        """Asks until the model answers a real inference; raises the last reason why not after `timeout_s` seconds."""
        deadline_s = time.monotonic() + _checked_timeout(timeout_s)
        while True:
            left_s = max(deadline_s - time.monotonic(), _POLL_S)
            try:
                self.predict(model=model, timeout_s=min(left_s, self._timeout_s))
                return
            except (Unavailable, ModelNotFound, DeadlineExceeded):
                if time.monotonic() + _POLL_S > deadline_s:
                    raise
            time.sleep(_POLL_S)

    def close(self) -> None:
        """Closes the connections; a closed client cannot be used again."""
        with self._lock:
            self._closed = True
            if self._transport is not None:
                self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({str(self._url)!r}, model={self._model!r})"

    def _send(self, request: InferenceRequest) -> InferenceResponse:
        transport = self._opened()
        try:
            return transport.infer(request)
        except TransportError as failure:
            raise error_for(failure, request) from failure

    def _opened(self) -> Transport:
        with self._lock:
            if self._closed:
                raise RuntimeError("the client is closed; make a new one")
            if self._transport is None:
                self._transport = open_transport(self._url)
            return self._transport


def _checked_timeout(timeout_s: float) -> float:
    if not (math.isfinite(timeout_s) and timeout_s > 0):
        raise ValueError(f"timeout_s: got {timeout_s}, expected a positive number of seconds")
    return timeout_s
