"""The client for an event loop: over fake transports, and on a real server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    DeadlineExceeded,
    GenderClientError,
    InvalidAvatar,
    ModelNotFound,
    Unavailable,
)
from server.launch.process import free_ports
from tests.support.client.fakes import respond_male_async
from tests.support.pictures import encode, noise
from tests.support.waiting import ends_soon

PICTURE = encode(noise(), "JPEG")


def run(use: Callable[[AsyncClient], Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
    """Runs `use` with an open client."""

    async def main() -> Any:
        async with AsyncClient(*arguments, **options) as client:
            return await use(client)

    return asyncio.run(main())


def test_predictions_and_errors_equal_the_sync_clients() -> None:
    async def use(client: AsyncClient) -> None:
        prediction = await client.predict(nickname="小美", embedding=True)
        assert (prediction.gender, prediction.embedding) == ("unknown", (0.0,) * 256)
        assert await client.is_ready()
        with pytest.raises(TypeError, match="nickname: got int"):
            await client.predict(nickname=3)  # type: ignore[arg-type]

    run(use, transport=AsyncFakeTransport(respond_male_async), unknown_below=0.9)


def test_closed_client_cannot_be_used() -> None:
    async def use(client: AsyncClient) -> None:
        await client.close()
        with pytest.raises(RuntimeError, match="the client is closed"):
            await client.predict()

    run(use, "http://127.0.0.1:9")


def test_client_connects_again_in_another_event_loop(url: str) -> None:
    client = AsyncClient(url)
    for _ in range(3):
        assert asyncio.run(client.predict(nickname="小美")).gender == "female"
    asyncio.run(client.close())


def test_client_connects_again_in_an_event_loop_beside_an_idle_one(url: str) -> None:
    client = AsyncClient(url)
    loops = [asyncio.new_event_loop(), asyncio.new_event_loop()]
    for loop in loops * 2:
        assert loop.run_until_complete(client.predict(nickname="小美")).gender == "female"
    loops[1].run_until_complete(client.close())
    for loop in loops:
        loop.close()


def test_client_in_use_by_another_event_loop_says_so() -> None:
    client = AsyncClient(transport=AsyncFakeTransport(respond_male_async))

    async def use() -> None:
        await client.predict()
        with pytest.raises(GenderClientError, match="create a client for each event loop"):
            await asyncio.to_thread(asyncio.run, client.predict())

    asyncio.run(use())


def test_real_server(url: str) -> None:
    async def use(client: AsyncClient) -> None:
        assert (await client.predict(nickname="小美", avatar=PICTURE)).model == "gender_mobilenet"
        with pytest.raises(InvalidAvatar, match="not an image"):
            await client.predict(avatar=b"no image")
        with pytest.raises(ModelNotFound):
            await client.predict(model="gender_resnet")
        predictions = await asyncio.gather(*(client.predict(nickname="小美") for _ in range(40)))
        assert {prediction.gender for prediction in predictions} == {"female"}

    run(use, url)


def test_deadline_holds(url: str) -> None:
    async def use(client: AsyncClient) -> None:
        with ends_soon(), pytest.raises(DeadlineExceeded, match=r"no response within 0\.001 s"):
            await client.predict(avatar=PICTURE, timeout_s=0.001)

    run(use, url)


def test_cancelled_call_leaves_client_usable(url: str) -> None:
    async def use(client: AsyncClient) -> None:
        await client.predict()
        is_cancelled = False
        while not is_cancelled:  # on a busy machine, the answer may be there first
            task = asyncio.create_task(client.predict(avatar=PICTURE, model="gender_densenet"))
            await asyncio.sleep(0.002)
            is_cancelled = task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await client.predict(nickname="小美")).gender == "female"

    run(use, url)


def test_missing_server_is_unavailable(scheme: str) -> None:
    async def use(client: AsyncClient) -> None:
        with pytest.raises(Unavailable, match="`make serve`") as caught:
            await client.predict()
        assert caught.value.attempts == 3

    (port,) = free_ports(1)
    run(use, f"{scheme}://127.0.0.1:{port}")
