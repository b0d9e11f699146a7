"""Missing inputs, and predictions without an avatar that is invalid."""

import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from numbers import Real
from typing import Final

from genderclient._exceptions import InvalidAvatar
from genderclient._flow import Call, Extension, Flow
from genderclient._models import Prediction

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
    """If only the avatar is invalid, predicts from the nickname. The prediction has the reason as `avatar_error`."""

    def handle(self, call: Call, proceed: Callable[[Call], Flow[Prediction]]) -> Flow[Prediction]:
        started_s = time.monotonic()
        try:
            return (yield from proceed(call))
        except InvalidAvatar as error:
            elapsed_s = time.monotonic() - started_s
            if call.encode_without_avatar is None or elapsed_s >= call.timeout_s:
                raise
            reason, attempts = str(error), error.attempts
        rest = replace(call, encode=call.encode_without_avatar, timeout_s=call.timeout_s - elapsed_s)
        prediction = yield from proceed(rest)
        return replace(
            prediction,
            avatar_error=reason,
            attempts=prediction.attempts + attempts,
            latency_s=prediction.latency_s + elapsed_s,
        )
