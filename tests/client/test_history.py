"""Histories in a real Redis."""

import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from genderclient import HistoryStore, HistoryUnavailable, RedisHistory
from tests.support.client.redis_server import REDIS, running_redis
from tests.support.tritonserver import free_ports

needs_redis = pytest.mark.skipif(REDIS is None, reason="there is no redis-server on this machine")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="redis-") as folder, running_redis(Path(folder)) as running:
        yield running


@pytest.fixture
def redis(url: str) -> Iterator[Any]:
    with Redis.from_url(url) as connected:
        connected.flushall()
        yield connected


@pytest.fixture
def history(url: str, redis: Any) -> RedisHistory:
    return RedisHistory(url)


@needs_redis
def test_newest_50_likes_are_kept_newest_first(history: RedisHistory) -> None:
    for picture in range(60):
        history.add("小美", picture)
    assert history.liked("小美") == tuple(range(59, 9, -1))


@needs_redis
def test_picture_liked_again_moves_to_the_front(history: RedisHistory) -> None:
    for picture in (1, 2, 3, 1):
        history.add("u", picture)
    assert history.liked("u") == (1, 3, 2)


@needs_redis
def test_many_users_are_read_in_one_round_trip(history: RedisHistory, redis: Any) -> None:
    for number in range(100):
        history.add(f"u{number}", number)
    before = redis.info("stats")["total_reads_processed"]
    histories = history.liked_many([*(f"u{number}" for number in range(100)), "unknown"])
    assert histories == [*((number,) for number in range(100)), ()]
    # The commands arrive in a few reads of the socket, not in a hundred; the second INFO is one of them.
    assert redis.info("stats")["total_reads_processed"] - before < 10
    assert history.liked_many([]) == []


@needs_redis
def test_history_expires_after_its_last_like(url: str, redis: Any) -> None:
    history = RedisHistory(url, prefix="p:", ttl_s=100)
    history.add("u", 1)
    redis.pexpire("p:u", 5000)
    history.add("u", 2)
    assert 95_000 < redis.pttl("p:u") <= 100_000
    RedisHistory(url, prefix="p:", ttl_s=None).add("v", 1)
    assert redis.pttl("p:v") == -1


@needs_redis
def test_forgotten_user_has_no_history(history: RedisHistory, redis: Any) -> None:
    history.add("u", 1)
    history.add("v", 2)
    history.forget("u")
    assert (history.liked("u"), history.liked("v"), redis.keys()) == ((), (2,), [b"liked:v"])


@needs_redis
def test_history_is_a_store_that_can_be_pickled(history: RedisHistory) -> None:
    history.add("u", 7)
    assert isinstance(history, HistoryStore)
    assert pickle.loads(pickle.dumps(history)).liked("u") == (7,)


@needs_redis
@pytest.mark.parametrize("value", ["text", "list"])
def test_key_of_another_program_is_named(history: RedisHistory, redis: Any, value: str) -> None:
    if value == "text":
        redis.set("liked:u", "secret")
    else:
        redis.lpush("liked:u", "secret")
    with pytest.raises(HistoryUnavailable, match=r"^history: .*prefix") as caught:
        history.liked("u")
    assert "secret" not in repr(caught.value.__context__ if not caught.value.__suppress_context__ else caught.value)


def test_unreachable_redis_is_named_without_its_password() -> None:
    (port,) = free_ports(1)
    history = RedisHistory(f"redis://user:planted@127.0.0.1:{port}/0")
    with pytest.raises(HistoryUnavailable, match=r"^history: Redis failed: ConnectionError; is") as caught:
        history.add("planted-user", 1)
    assert isinstance(caught.value, ConnectionError)
    assert "planted" not in str(caught.value) + repr(history)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"url": "redis://planted:65536/0"}, ValueError, "^url: expected redis://host:port/database$"),
        ({"url": "http://planted"}, ValueError, "^url: expected redis://"),
        ({"url": "redis://user:plan/ted@host:6379/0"}, ValueError, "^url: expected redis://"),
        ({"url": None}, TypeError, "^url: got NoneType"),
        ({"ttl_s": 0}, ValueError, "^ttl_s: got 0, expected 1 second or more"),
        ({"ttl_s": "1"}, TypeError, "^ttl_s: got str"),
        ({"timeout_s": 0}, ValueError, "^timeout_s: got 0"),
        ({"prefix": 1}, TypeError, "^prefix: got int"),
    ],
)
def test_invalid_option_is_named(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        RedisHistory(**arguments)
    assert "plan" not in str(caught.value)


@pytest.mark.parametrize(("user", "picture", "message"), [(7, 1, "user_id: got int"), ("u", "x", "picture: got str")])
def test_invalid_like_is_named(user: Any, picture: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        RedisHistory().add(user, picture)


def test_one_user_is_not_many() -> None:
    with pytest.raises(TypeError, match="user_ids: got str, expected the ids of users"):
        RedisHistory().liked_many("u1")
