"""Hedged requests, in threads and in tasks."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    Client,
    FakeTransport,
    Hedge,
    InferenceRequest,
    InferenceResponse,
    InvalidAvatar,
    Status,
    TransportError,
    Unavailable,
)
from genderclient.hedging import HedgeBudget
from tests.support.client.fakes import respond_male

HEDGE = Hedge(after_s=0.05)
LOST = TransportError(Status.UNAVAILABLE, "gone")


class SlowFirst:
    """The first request waits until it is released; the second is responded to, or fails, at once."""

    def __init__(self, second: TransportError | None = None, *, releases: bool = True) -> None:
        self.requests: list[InferenceRequest] = []
        self.released = threading.Event()
        self._second = second
        self._releases = releases

    def __call__(self, request: InferenceRequest) -> InferenceResponse:
        self.requests.append(request)
        if len(self.requests) == 1:
            self.released.wait(10)
        elif self._second:
            if self._releases:
                self.released.set()
            raise self._second
        return respond_male(request)


def test_response_in_time_is_not_hedged() -> None:
    with Client(transport=FakeTransport(respond_male), hedge=Hedge(after_s=5)) as client:
        assert client.predict(nickname="小美").attempts == 1


def test_late_response_is_hedged_within_deadline() -> None:
    server = SlowFirst()
    with Client(transport=FakeTransport(server), hedge=HEDGE, timeout_s=10) as client:
        prediction = client.predict(nickname="小美")
        assert not server.released.is_set()
        server.released.set()
    assert prediction.attempts == 2
    first, second = (request.timeout_s for request in server.requests)
    assert second == pytest.approx(first - 0.05, abs=1)
    assert second < first
    assert server.requests[0].inputs == server.requests[1].inputs


def test_hedge_that_fails_leaves_first_request() -> None:
    with Client(transport=FakeTransport(SlowFirst(LOST)), hedge=HEDGE) as client:
        assert client.predict(nickname="小美").attempts == 2


REFUSED = TransportError(Status.INVALID_ARGUMENT, "AVATAR: not an image")


def test_refused_input_does_not_wait_for_the_first_request() -> None:
    server = SlowFirst(REFUSED, releases=False)
    with Client(transport=FakeTransport(server), hedge=HEDGE, timeout_s=20) as client:
        with pytest.raises(InvalidAvatar):
            client.predict(nickname="小美")
        assert not server.released.is_set()
        server.released.set()


def test_refused_input_cancels_the_first_request() -> None:
    requests: list[InferenceRequest] = []

    async def respond(request: InferenceRequest) -> InferenceResponse:
        requests.append(request)
        if len(requests) == 1:
            await asyncio.sleep(30)
        raise REFUSED

    async def main() -> None:
        async with AsyncClient(transport=AsyncFakeTransport(respond), hedge=HEDGE, timeout_s=60) as client:
            with pytest.raises(InvalidAvatar):
                await asyncio.wait_for(client.predict(nickname="小美"), 20)

    asyncio.run(main())


# The budget holds one token, so one of three attempts is hedged.
@pytest.mark.parametrize(("timeout_s", "attempts"), [(10, 4), (0.04, 1)])
def test_hedged_failure_is_raised_and_deadline_prevents_hedge(timeout_s: float, attempts: int) -> None:
    def fail(request: InferenceRequest) -> InferenceResponse:
        time.sleep(0.1)
        raise LOST

    with (
        Client(transport=FakeTransport(fail), hedge=HEDGE, timeout_s=timeout_s) as client,
        pytest.raises(Unavailable) as caught,
    ):
        client.predict(nickname="小美")
    assert caught.value.attempts == attempts


def test_budget_limits_share() -> None:
    budget, hedged = HedgeBudget(max_share=0.125), 0
    for _ in range(200):
        budget.earn()
        hedged += budget.spend()
    assert hedged == 26  # the initial token, and an eighth of 200


def test_budget_is_shared_by_threads() -> None:
    with Client(transport=FakeTransport(respond_male), hedge=HEDGE) as client, ThreadPoolExecutor(32) as pool:
        assert {p.gender for p in pool.map(lambda _: client.predict(nickname="小美"), range(500))} == {"male"}


def test_tasks_cancel_the_slower_request() -> None:
    requests: list[InferenceRequest] = []
    cancelled: list[InferenceRequest] = []

    async def respond(request: InferenceRequest) -> InferenceResponse:
        requests.append(request)
        if len(requests) == 1:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                cancelled.append(request)
                raise
        return respond_male(request)

    async def predict() -> int:
        async with AsyncClient(transport=AsyncFakeTransport(respond), hedge=HEDGE) as client:
            return (await client.predict(nickname="小美")).attempts

    assert asyncio.run(predict()) == 2
    assert cancelled == requests[:1]


@pytest.mark.parametrize("options", [{"after_s": 0}, {"after_s": float("nan")}, {"after_s": 1, "max_share": 0}])
def test_invalid_hedge_is_rejected(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Hedge(**options)


SERVERS = ("grpc://127.0.0.1:1", "grpc://127.0.0.1:2")


@pytest.mark.parametrize("others", [0, 1, 2, 3])
def test_hedge_goes_to_another_server(others: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever other threads have sent meanwhile."""
    asked: list[str] = []
    overtaken = threading.Event()

    def respond(server: str, request: InferenceRequest) -> InferenceResponse:
        asked.append(server)
        if len(asked) > 1:
            overtaken.set()
            return respond_male(request)
        for _ in range(others):
            client._pool.replicas.pick()
        overtaken.wait(10)
        return respond_male(request)

    monkeypatch.setattr(Client, "_open_transport", lambda _, url: FakeTransport(partial(respond, str(url))))
    with Client(SERVERS, hedge=HEDGE, timeout_s=10) as client:
        client.predict(nickname="小美")
    assert sorted(asked) == sorted(SERVERS)


@pytest.mark.parametrize(("hedge", "ejects"), [(None, False), (Hedge(after_s=60), False), (Hedge(after_s=0.01), True)])
def test_only_cancelled_requests_that_were_late_eject_a_server(
    hedge: Hedge | None, ejects: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: InferenceRequest) -> InferenceResponse:
        await asyncio.sleep(60)
        raise AssertionError("not cancelled")

    async def main() -> bool:
        monkeypatch.setattr(AsyncClient, "_open_transport", lambda *_: AsyncFakeTransport(hang))
        async with AsyncClient(SERVERS, hedge=hedge, timeout_s=50) as client:
            tasks = [asyncio.create_task(client.predict(nickname="小美")) for _ in range(12)]
            await asyncio.sleep(0.1)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return not client._pool.replicas.any_available()

    assert asyncio.run(main()) is ejects


def test_closed_client_with_a_hedge_says_so() -> None:
    client = Client(transport=FakeTransport(respond_male), hedge=HEDGE)
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed; create a new one"):
        client.predict(nickname="小美")
