"""The pictures that users liked, kept outside Triton."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from functools import cache
from typing import Any, Final, Protocol, runtime_checkable
from urllib.parse import urlsplit

from genderclient._config.checks import check_iterable, check_number, check_type, checked_timeout
from genderclient._exceptions import HistoryUnavailable
from genderclient._questions.arguments import checked_id
from genderclient._questions.ranking import MAX_HISTORY

DAY_S: Final = 86_400


@runtime_checkable
class HistoryStore(Protocol):
    """The liked pictures of users, newest first: `rank(liked=history.liked(user_id))`.

    A database of your own needs these three methods.
    """

    def add(self, user_id: str, picture: int) -> None:
        """Records that the user liked the picture now."""

    def liked(self, user_id: str) -> tuple[int, ...]:
        """Returns the ids of the pictures that the user liked, newest first. Empty for an unknown user."""

    def liked_many(self, user_ids: Sequence[str]) -> list[tuple[int, ...]]:
        """Returns `liked` of each user, read at once."""


@dataclass(frozen=True, slots=True)
class RedisHistory:
    """A `HistoryStore` in Redis: one list a user, with the newest 50 pictures. Needs `genderclient[redis]`.

    Thread-safe; can be pickled, and connects with the first call. All methods raise HistoryUnavailable.

    Args:
        url: `redis://[[user]:[password]]@host:port/database`, encrypted as `rediss://`.
        prefix: Precedes the user's id in each key.
        ttl_s: Seconds without a new like after which a history is deleted; None keeps it.
        timeout_s: Seconds to wait for Redis.
    """

    url: str = field(default="redis://127.0.0.1:6379/0", repr=False)
    prefix: str = "liked:"
    _: KW_ONLY
    ttl_s: float | None = 180 * DAY_S
    timeout_s: float = 1.0

    def __post_init__(self) -> None:
        check_type("prefix", self.prefix, str, "text")
        checked_timeout(self.timeout_s)
        if self.ttl_s is not None:
            check_number("ttl_s", self.ttl_s, "1 second or more, or None")
            if not 1 <= self.ttl_s < math.inf:
                raise ValueError(f"ttl_s: got {self.ttl_s}, expected 1 second or more, or None")
        check_type("url", self.url, str, "redis://host:port/database")
        if not _is_redis(self.url):
            # The URL may hold a password.
            raise ValueError("url: expected redis://host:port/database")

    def add(self, user_id: str, picture: int) -> None:
        """Records that the user liked the picture now. A picture that the user liked before moves to the front."""
        picture = checked_id("picture", picture)
        key = self._key(user_id)
        with self._connected() as redis, redis.pipeline(transaction=True) as pipeline:
            pipeline.lrem(key, 0, str(picture))
            pipeline.lpush(key, picture)
            pipeline.ltrim(key, 0, MAX_HISTORY - 1)
            if self.ttl_s is not None:
                pipeline.pexpire(key, round(1000 * self.ttl_s))
            pipeline.execute()

    def liked(self, user_id: str) -> tuple[int, ...]:
        """Returns the ids of the pictures that the user liked, newest first. Empty for an unknown user."""
        return self.liked_many([user_id])[0]

    def liked_many(self, user_ids: Sequence[str]) -> list[tuple[int, ...]]:
        """Returns `liked` of each user, in one round trip."""
        check_iterable("user_ids", user_ids, "the ids of users")
        keys = [self._key(user_id) for user_id in user_ids]
        with self._connected() as redis, redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.lrange(key, 0, MAX_HISTORY - 1)
            lists = pipeline.execute()
        return [_parse(pictures) for pictures in lists]

    def forget(self, user_id: str) -> None:
        """Deletes the history of the user."""
        key = self._key(user_id)
        with self._connected() as redis:
            redis.delete(key)

    def _key(self, user_id: str) -> bytes:
        check_type("user_id", user_id, str, "str")
        return f"{self.prefix}{user_id}".encode(errors="surrogatepass")

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """The connections of this process. Errors of Redis become HistoryUnavailable."""
        try:
            from redis.exceptions import RedisError
        except ImportError as exc:
            raise HistoryUnavailable(f"history: {exc}; install it: pip install 'genderclient[redis]'") from exc
        try:
            yield _connections(self.url, self.timeout_s)
        except RedisError as exc:
            # The message may hold the key, which names the user.
            reason = "is Redis running, and is the prefix used by nothing else?"
            raise HistoryUnavailable(f"history: Redis failed: {type(exc).__name__}; {reason}") from None


@cache
def _connections(url: str, timeout_s: float) -> Any:
    from redis import Redis

    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)


def _is_redis(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("redis", "rediss", "unix") and parts.port != 0
    except ValueError:  # the port is none
        return False


def _parse(pictures: list[bytes]) -> tuple[int, ...]:
    try:
        return tuple(map(int, pictures))
    except ValueError:
        raise HistoryUnavailable("history: a list holds something else than picture ids; check the prefix") from None
