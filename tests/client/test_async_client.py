"""The client for an event loop: over fake transports, and on a real server."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    DeadlineExceeded,
    GenderClientError,
    InferenceRequest,
    InferenceResponse,
    InvalidAvatar,
    ModelNotFound,
    Status,
    TransportError,
    Unavailable,
)
from server.launch.process import free_ports
from tests.support.client.fakes import answer
from tests.support.pictures import encode, noise
from tests.support.tritonserver import Server

PICTURE = encode(noise(), "JPEG")


async def respond(request: InferenceRequest) -> InferenceResponse:
    return answer(request)


def test_it_answers_as_its_twin() -> None:
    async def ask() -> None:
        async with AsyncClient(transport=AsyncFakeTransport(respond), unknown_below=0.9) as client:
            prediction = await client.predict(nickname="小美", embedding=True)
            assert (prediction.gender, prediction.embedding) == ("unknown", (0.0,) * 256)
            assert await client.is_ready()
            with pytest.raises(TypeError, match="nickname: got int"):
                await client.predict(nickname=3)  # type: ignore[arg-type]

    asyncio.run(ask())


def test_it_asks_again_while_others_go_on() -> None:
    failures = [TransportError(Status.UNAVAILABLE, "gone")] * 2

    async def fail(request: InferenceRequest) -> InferenceResponse:
        if failures:
            raise failures.pop()
        return answer(request)

    async def ask() -> None:
        async with AsyncClient(transport=AsyncFakeTransport(fail)) as client:
            assert (await client.predict(nickname="小美")).gender == "male"

    asyncio.run(ask())
    assert not failures


def test_a_closed_client_says_so() -> None:
    async def ask() -> None:
        client = AsyncClient("http://127.0.0.1:9")
        await client.close()
        with pytest.raises(RuntimeError, match="the client is closed"):
            await client.predict()

    asyncio.run(ask())


def test_a_forked_client_says_so() -> None:
    client = AsyncClient(transport=AsyncFakeTransport(respond))
    read, write = os.pipe()
    if (child := os.fork()) == 0:  # pragma: no cover - another process
        try:
            asyncio.run(client.predict())
        except RuntimeError as error:
            os.write(write, str(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert b"make one in each process" in os.read(read, 1000)


@pytest.fixture(params=["grpc", "http"])
def url(request: pytest.FixtureRequest, triton: Server) -> str:
    return f"{request.param}://{triton.grpc_url if request.param == 'grpc' else triton.http_url}"


def on(url: str, ask: Callable[[AsyncClient], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(url, **options) as client:
            return await ask(client)

    return asyncio.run(run())


def test_a_real_server(url: str) -> None:
    async def ask(client: AsyncClient) -> None:
        assert (await client.predict(nickname="小美", avatar=PICTURE)).model == "gender_mobilenet"
        with pytest.raises(InvalidAvatar, match="not an image"):
            await client.predict(avatar=b"no image")
        with pytest.raises(ModelNotFound):
            await client.predict(model="gender_resnet")
        together = await asyncio.gather(*(client.predict(nickname="小美") for _ in range(40)))
        assert {prediction.gender for prediction in together} == {"female"}

    on(url, ask)


def test_the_deadline_holds(url: str) -> None:
    async def ask(client: AsyncClient) -> None:
        started_s = time.monotonic()
        with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.001 s"):
            await client.predict(avatar=PICTURE, timeout_s=0.001)
        assert time.monotonic() - started_s < 1

    on(url, ask)


def test_a_cancelled_call_ends_at_once(url: str) -> None:
    async def ask(client: AsyncClient) -> None:
        await client.predict()
        task = asyncio.create_task(client.predict(avatar=PICTURE, model="gender_densenet"))
        await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await client.predict(nickname="小美")).gender == "female"

    on(url, ask)


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_nobody_is_there(scheme: str) -> None:
    async def ask(client: AsyncClient) -> None:
        with pytest.raises(Unavailable, match="`make serve`") as caught:
            await client.predict()
        assert isinstance(caught.value, GenderClientError)
        assert caught.value.attempts == 3

    (port,) = free_ports(1)
    on(f"{scheme}://127.0.0.1:{port}", ask)
