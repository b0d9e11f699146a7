"""Missing inputs, and calls without an avatar that is invalid."""

import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from numbers import Real
from typing import Final

from genderclient._exceptions import InvalidAvatar
from genderclient._flow import Call, Extension, Flow
from genderclient._questions.question import R

# The types of `pandas.NA` and `pandas.NaT`, without importing pandas.
_PANDAS_MISSING: Final = ("NAType", "NaTType")


def is_missing(value: object) -> bool:
    """Whether an avatar or a nickname is missing: None, empty text or bytes, NaN, `pandas.NA` or `pandas.NaT`."""
    if value is None:
        return True
    if isinstance(value, str | bytes | bytearray | memoryview):
        return len(value) == 0
    if isinstance(value, Real | Decimal):
        return bool(value != value)
    return type(value).__name__ in _PANDAS_MISSING


class NicknameFallback(Extension):
    """If only the avatar is invalid, asks without it. The prediction has the reason as `avatar_error`."""

    def handle(self, call: Call[R], proceed: Callable[[Call[R]], Flow[R]]) -> Flow[R]:
        started_s = time.monotonic()
        try:
            return (yield from proceed(call))
        except InvalidAvatar as error:
            elapsed_s = time.monotonic() - started_s
            if call.question.without_avatar is None or elapsed_s >= call.timeout_s:
                raise
            question, attempts = call.question.without_avatar(str(error)), error.attempts
        result = yield from proceed(replace(call, question=question, timeout_s=call.timeout_s - elapsed_s))
        return replace(result, attempts=result.attempts + attempts, latency_s=result.latency_s + elapsed_s)
