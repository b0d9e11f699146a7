"""What both clients share: building requests, reading answers, deciding what comes next; no I/O but reading files."""

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from genderclient import _codec
from genderclient._avatar import encode_avatar
from genderclient._config import server_urls
from genderclient._models import Prediction
from genderclient._replicas import Replicas
from genderclient._retry import Retry, RetryBudget, Steps, steps
from genderclient._transports.base import InferenceRequest, InferenceResponse

if TYPE_CHECKING:
    from genderclient._avatar import Avatar

DEFAULT_MODEL: Final = "gender_mobilenet"
DEFAULT_TIMEOUT_S: Final = 10.0
DEFAULT_UNKNOWN_BELOW: Final = 0.65
DEFAULT_RETRY: Final = Retry()


class BaseClient:
    """Builds requests from arguments and predictions from responses."""

    def __init__(
        self,
        url: str | Sequence[str] | None,
        *,
        model: str,
        timeout_s: float,
        unknown_below: float,
        retry: Retry,
        replicas: int | None = None,
    ) -> None:
        if not 0 <= unknown_below <= 1:
            raise ValueError(f"unknown_below: got {unknown_below}, expected a probability from 0 to 1")
        self._urls = server_urls(url)
        self._model = model
        self._timeout_s = checked_timeout(timeout_s)
        self._unknown_below = unknown_below
        self._retry = retry
        self._budget = RetryBudget()
        self._replicas = Replicas(replicas or len(self._urls))
        self._closed = False
        self._process = os.getpid()

    def _steps(
        self,
        *,
        avatar: "Avatar | None",
        nickname: str | None,
        model: str | None,
        timeout_s: float | None,
        embedding: bool,
    ) -> Steps:
        """What to send and how long to wait in between, until there is a response."""
        request = self._build_request(
            avatar=avatar, nickname=nickname, model=model, timeout_s=timeout_s, embedding=embedding
        )
        return steps(request, self._retry, self._budget)

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
            timeout_s=self._timeout_s if timeout_s is None else checked_timeout(timeout_s),
            embedding=embedding,
        )

    def _read_response(self, response: InferenceResponse, *, embedding: bool) -> Prediction:
        return _codec.decode(response, unknown_below=self._unknown_below, embedding=embedding)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the client is closed; make a new one")
        if self._process != os.getpid():
            raise RuntimeError("the client was made before this process was forked; make one in each process")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({','.join(map(str, self._urls))!r}, model={self._model!r})"


def checked_timeout(timeout_s: float) -> float:
    """A number of seconds that time can pass. Raises ValueError for any other."""
    if not (math.isfinite(timeout_s) and timeout_s > 0):
        raise ValueError(f"timeout_s: got {timeout_s}, expected a positive number of seconds")
    return timeout_s
