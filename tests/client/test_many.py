"""Predictions for many users, in threads and in tasks: order, memory, errors as values."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest

from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    Client,
    FakeTransport,
    InferenceRequest,
    InferenceResponse,
    InvalidNickname,
    Scored,
    Status,
    TransportError,
    User,
)
from tests.support.client.fakes import respond_male, respond_male_async
from tests.support.pictures import encode, noise

Many = Callable[..., list[Scored]]


PICTURE = encode(noise(), "JPEG")


class SlowServer:
    """Responds after as many ms as the nickname says, and counts simultaneous requests; `bad` is rejected.

    No request gets a response before `together` are in flight, and `late` none before `late` others were delivered.
    """

    def __init__(self) -> None:
        self.in_flight = self.most = self.answered = self.delivered = 0
        self.together = 1
        self.late = 0
        self._lock = threading.Lock()

    def _count(self, by: int) -> None:
        with self._lock:
            self.in_flight += by
            self.answered += by < 0
            self.most = max(self.most, self.in_flight)

    def deliver(self, scored: Scored) -> Scored:
        self.delivered += 1
        return scored

    def sync(self, request: InferenceRequest) -> InferenceResponse:
        self._count(1)
        try:
            while self._waits(request):
                time.sleep(0.001)
            time.sleep(self._seconds(request))
            return respond_male(request)
        finally:
            self._count(-1)

    async def tasks(self, request: InferenceRequest) -> InferenceResponse:
        self._count(1)
        try:
            while self._waits(request):
                await asyncio.sleep(0.001)
            await asyncio.sleep(self._seconds(request))
            return respond_male(request)
        finally:
            self._count(-1)

    def _waits(self, request: InferenceRequest) -> bool:
        late = nickname_of(request) == "late" and self.delivered < self.late
        return late or self.most < self.together

    @staticmethod
    def _seconds(request: InferenceRequest) -> float:
        nickname = nickname_of(request)
        if nickname == "bad":
            raise TransportError(Status.INVALID_ARGUMENT, "NICKNAME: bad")
        return 0 if nickname == "late" else int(nickname) / 1000


def nickname_of(request: InferenceRequest) -> str:
    return str(request.inputs[1].value, "utf-8")


@pytest.fixture(params=["threads", "tasks"])
def many(request: pytest.FixtureRequest) -> tuple[SlowServer, Many]:
    server = SlowServer()
    if request.param == "threads":
        client = Client(transport=FakeTransport(server.sync))
        return server, lambda users, **options: list(map(server.deliver, client.predict_many(users, **options)))

    def run(users: Iterable[User], **options: Any) -> list[Scored]:
        async def collect() -> list[Scored]:
            async with AsyncClient(transport=AsyncFakeTransport(server.tasks)) as tasks:
                return [server.deliver(scored) async for scored in tasks.predict_many(users, **options)]

        return asyncio.run(collect())

    return server, run


def named(*names: str) -> list[User]:
    return [User(nickname=name) for name in names]


def test_results_keep_order(many: tuple[SlowServer, Many]) -> None:
    server, run = many
    server.together = 3
    results = run(named("60", "1", "30", "1", "1"), concurrency=3)
    assert [scored.index for scored in results] == [0, 1, 2, 3, 4]
    assert all(scored.prediction and scored.prediction.gender == "male" for scored in results)
    assert server.most == 3


def test_unordered_results_come_as_they_complete(many: tuple[SlowServer, Many]) -> None:
    server, run = many
    server.late = 2
    results = run(named("late", "1", "1"), concurrency=3, ordered=False)
    assert sorted(scored.index for scored in results[:2]) == [1, 2]
    assert results[2].index == 0


def test_error_affects_one_user(many: tuple[SlowServer, Many]) -> None:
    _, run = many
    users = [*named("1", "bad"), User(nickname=3.5), *named("1")]  # type: ignore[arg-type]
    first, second, third, fourth = run(users)
    assert first.prediction and fourth.prediction
    assert isinstance(second.error, InvalidNickname)
    assert isinstance(third.error, TypeError)
    assert (second.prediction, third.prediction) == (None, None)


def test_users_are_read_only_as_far_as_needed() -> None:
    read: list[int] = []

    def endless() -> Iterator[User]:
        for number in range(50):
            read.append(number)
            yield User(nickname="1")

    client = Client(transport=FakeTransport(respond_male))
    results = client.predict_many(endless(), concurrency=4)
    assert next(results).index == 0
    assert len(read) <= 4
    results.close()  # type: ignore[attr-defined]


def test_empty_source_and_error_of_source(many: tuple[SlowServer, Many]) -> None:
    _, run = many
    assert run([]) == []

    def broken() -> Iterator[User]:
        yield User(nickname="1")
        raise KeyError("source")

    with pytest.raises(KeyError, match="source"):
        run(broken())


def test_concurrency_must_be_positive(many: tuple[SlowServer, Many]) -> None:
    with pytest.raises(ValueError, match="concurrency: got 0"):
        many[1](named("1"), concurrency=0)


@pytest.mark.parametrize("method", ["predict_many", "rank_many", "embed_many", "similar_many", "screen_many"])
@pytest.mark.parametrize("one", ["card.png", b"\x11", memoryview(b"\x11"), None])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_one_picture_is_not_many(kind: type[Client | AsyncClient], method: str, one: Any) -> None:
    with pytest.raises(TypeError, match=rf"^(users|pictures): got {type(one).__name__}, expected an iterable of "):
        getattr(kind(), method)(one)


def test_closed_iterator_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    client = Client(transport=FakeTransport(respond_male))
    results = client.predict_many(named(*["1"] * 20), concurrency=4)
    next(results)
    assert set(threading.enumerate()) - before
    results.close()  # type: ignore[attr-defined]
    assert not set(threading.enumerate()) - before


def test_async_source() -> None:
    async def source() -> AsyncIterator[User]:
        for name in ("1", "2", "3"):
            yield User(nickname=name)

    async def collect() -> list[int]:
        async with AsyncClient(transport=AsyncFakeTransport(SlowServer().tasks)) as client:
            return [scored.index async for scored in client.predict_many(source())]

    assert asyncio.run(collect()) == [0, 1, 2]


def test_repr_of_user_omits_inputs() -> None:
    assert "小美" not in repr(User(nickname="小美", avatar=b"picture"))


def test_real_server(url: str) -> None:
    users = [User(nickname="小美"), User(avatar=b"no image"), User(avatar=PICTURE, nickname="X国强")] * 20
    with Client(url) as client:
        alone = [client.predict(nickname="小美"), client.predict(avatar=PICTURE, nickname="X国强")]
        results = list(client.predict_many(users))
    assert [scored.error is not None for scored in results] == [False, True, False] * 20
    for scored, expected in zip(results[:3:2], alone, strict=True):
        assert scored.prediction is not None
        assert scored.prediction.probability == pytest.approx(expected.probability, abs=1e-3)


def test_ids_are_ignored_without_an_experiment(many: tuple[SlowServer, Many]) -> None:
    _, predict_many = many
    assert [scored.error for scored in predict_many([User(nickname="1", id="7")], concurrency=1)] == [None]


def test_tasks_begin_before_the_next_user_is_read() -> None:
    sent: list[InferenceRequest] = []
    before: list[int] = []

    async def respond(request: InferenceRequest) -> InferenceResponse:
        sent.append(request)
        await asyncio.sleep(0.01)
        return respond_male(request)

    def users() -> Iterator[User]:
        for _ in range(4):
            before.append(len(sent))
            yield User(nickname="0")

    async def main() -> None:
        async with AsyncClient(transport=AsyncFakeTransport(respond)) as client:
            assert len([scored async for scored in client.predict_many(users(), concurrency=16)]) == 4

    asyncio.run(main())
    assert before == [0, 1, 2, 3]


@pytest.mark.parametrize("ordered", [False, True])
def test_results_that_are_ready_do_not_wait_for_a_slow_source(ordered: bool) -> None:
    received: list[Scored] = []

    def users() -> Iterator[User]:
        for _ in range(10):
            yield User(nickname="0")
        time.sleep(1)  # all ten are answered
        yield User(nickname="0")
        assert len(received) >= 10
        yield User(nickname="0")

    with Client(transport=FakeTransport(respond_male)) as client:
        for scored in client.predict_many(users(), concurrency=16, ordered=ordered):
            received.append(scored)
    assert len(received) == 12


@pytest.mark.parametrize("ordered", [False, True])
def test_results_that_are_ready_do_not_wait_for_a_slow_async_source(ordered: bool) -> None:
    received: list[Scored] = []

    async def users() -> AsyncIterator[User]:
        for _ in range(10):
            yield User(nickname="0")
        await asyncio.sleep(1)
        yield User(nickname="0")
        assert len(received) >= 10
        yield User(nickname="0")

    async def main() -> None:
        async with AsyncClient(transport=AsyncFakeTransport(respond_male_async)) as client:
            async for scored in client.predict_many(users(), concurrency=16, ordered=ordered):
                received.append(scored)

    asyncio.run(main())
    assert len(received) == 12
