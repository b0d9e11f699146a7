"""Users from the rows of a table."""

import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from genderclient import GenderClientError, InvalidAvatar, InvalidInput, Probabilities, User, UserFeatures
from genderclient._avatar.text import decode_text
from genderclient._missing import is_missing
from genderclient.tables.columns import FAULT, Row

T = TypeVar("T")

_WEB_ADDRESS: Final = re.compile(r"\s*(https?:)?//", re.IGNORECASE)
_ENCODED: Final = re.compile(r"\s*data:|[\w+/\s-]{64,}=*\s*\Z", re.IGNORECASE | re.ASCII)


class LazyAvatar:
    """A binary file whose content is loaded by the thread that predicts its user.

    Attributes:
        error: Why there is no picture. The client's own error only says that this file cannot be read.
    """

    def __init__(self, load: Callable[[], bytes], error: InvalidInput | None = None) -> None:
        self.error = error
        self._load = load
        self._stream: io.BytesIO | None = None

    def read(self, size: int, /) -> bytes:
        try:
            self._stream = self._stream or io.BytesIO(self._load())
        except GenderClientError as exc:
            # A web server that fails is no reason to wait for the model.
            self.error = exc if isinstance(exc, InvalidInput) else InvalidAvatar(str(exc))
            raise self.error from exc
        return self._stream.read(size)


@dataclass(frozen=True, slots=True)
class UserReader:
    """Makes users of rows. A text avatar is a path relative to `folder`, a web address for `fetch`, or an image."""

    folder: Path
    fetch: Callable[[str], bytes] | None = None

    def user(self, row: Row) -> User:
        """The user of a row; one whose avatar fails if the row has a fault, or a value that is not of its column."""
        if fault := row.get(FAULT):
            return _failing_user(fault)
        try:
            features, liked = _features(row), _liked(row.get("liked"))
        except (TypeError, ValueError) as exc:
            return _failing_user(InvalidInput(str(exc)))
        if features:
            return User(features=features, liked=liked)
        return User(avatar=self._avatar(row.get("avatar")), nickname=text_of(row.get("nickname")), liked=liked)

    def _avatar(self, value: Any) -> Any:
        # The datasets of Hugging Face store an image as a struct.
        if isinstance(value, dict):
            value = value.get("bytes") or value.get("path")
        if is_missing(value):
            return None
        return self._from_text(value) if isinstance(value, str) else value

    def _from_text(self, text: str) -> Any:
        if _WEB_ADDRESS.match(text):
            return LazyAvatar(partial(self._fetch, text.strip()))
        # Path.is_file raises an error for a name that is too long, such as base64.
        if _ENCODED.match(text) and not os.path.isfile(self.folder / text):  # noqa: PTH113
            return LazyAvatar(partial(decode_text, text, allow_paths=False))
        return self.folder / text

    def _fetch(self, url: str) -> bytes:
        if self.fetch is None:
            raise InvalidAvatar("avatar: got a web address; to fetch avatars, use --fetch")
        return self.fetch(f"https:{url}" if url.startswith("//") else url)


def _failing_user(error: InvalidInput) -> User:
    """A user whose question fails, even if it does not read the avatar."""
    return User(avatar=LazyAvatar(partial(_fail, error), error))


def _fail(error: InvalidInput) -> bytes:
    raise error


def _features(row: Row) -> UserFeatures | None:
    """The stored features of a row that has an embedding."""
    if is_missing(embedding := row.get("embedding")):
        return None
    numbers = _parse_numbers("embedding", embedding, float)
    male, female = (_parse_numbers(name, [row.get(name)], float)[0] for name in ("male", "female"))
    return UserFeatures(embedding=numbers, probabilities=Probabilities(male, female))


def _liked(value: Any) -> Any:
    """Ids, which `rank` checks."""
    if is_missing(value):
        return ()
    return _parse_numbers("liked", value, int) if isinstance(value, str) else value


def _parse_numbers(name: str, value: Any, kind: Callable[[Any], T]) -> tuple[T, ...]:
    """The numbers of a list, or of text such as `[1, 2]` or `1 2`."""
    parts = value.strip("[] \t\r\n").replace(",", " ").split() if isinstance(value, str) else value
    try:
        return tuple(map(kind, parts))
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(f"{name}: expected numbers, for example [1, 2]") from None


def text_of(value: Any) -> Any:
    """Text. Numbers become their digits; pandas stores integers as floats if some are missing.

    Hive and Impala write text to Parquet as bytes.
    """
    if is_missing(value):
        return None
    if isinstance(value, bytes):
        return _decode(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _decode(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content
