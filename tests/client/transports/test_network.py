"""Both protocols through a network that is slow, breaks, corrupts and falls silent."""

import asyncio
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from genderclient import (
    AsyncClient,
    Client,
    ConnectionOptions,
    DeadlineExceeded,
    GenderClientError,
    Hedge,
    ProtocolError,
    Retry,
    Unavailable,
)
from genderclient._transports import grpc
from tests.support.client.model_repository import GENDER_IO, add_model
from tests.support.client.proxy import Proxy, corrupt, cut, delay, forward, half_close, proxy, swallow
from tests.support.pictures import encode, noise
from tests.support.tritonserver import Server, running_triton
from tests.support.waiting import ends_soon

LARGE = encode(noise(1200), "PNG")


def test_slow_network_delays_response(scheme: str, address: str) -> None:
    with proxy(address, delay(0.1)) as slow, Client(f"{scheme}://127.0.0.1:{slow.port}") as client:
        assert client.predict(nickname="小美").gender == "female"
        with pytest.raises(DeadlineExceeded):
            client.predict(nickname="小美", timeout_s=0.05)


def test_lost_connection_is_reopened(scheme: str, address: str) -> None:
    with proxy(address, cut) as broken, Client(f"{scheme}://127.0.0.1:{broken.port}") as client:
        with pytest.raises(Unavailable) as caught:
            client.predict(nickname="小美")
        assert caught.value.attempts == 3
        broken.fault = forward
        client.wait_until_ready(timeout_s=20)


def test_connection_lost_midway_costs_one_attempt(address: str, scheme: str) -> None:
    with proxy(address) as broken, Client(f"{scheme}://127.0.0.1:{broken.port}") as client:
        assert client.predict(nickname="小美", avatar=LARGE).attempts == 1

        def once(data: bytes, sink: socket.socket) -> bytes:
            broken.fault = forward
            return cut(data, sink)

        attempts: list[int] = []
        # gRPC sends more than responses, so the connection may also be lost between two calls.
        while 2 not in attempts and len(attempts) < 10:
            broken.fault = once
            attempts.append(client.predict(nickname="小美", avatar=LARGE).attempts)
        assert max(attempts) == 2
        assert broken.connections > 1


def test_silence_ends_at_deadline(address: str, scheme: str) -> None:
    with proxy(address, swallow) as silent:
        url = f"{scheme}://127.0.0.1:{silent.port}"
        with Client(url) as client, pytest.raises(DeadlineExceeded, match=r"no response within 0\.3 s"):
            client.predict(nickname="小美", timeout_s=0.3)
        silent.fault = forward
        with Client(url) as client:
            assert client.predict(nickname="小美").gender == "female"


def test_hedging_survives_silent_server(address: str, scheme: str) -> None:
    with proxy(address, swallow) as silent:
        urls = [f"{scheme}://127.0.0.1:{silent.port}", f"{scheme}://{address}"]
        with Client(urls, hedge=Hedge(after_s=0.2, max_share=1)) as client:
            predictions = [client.predict(nickname="小美", timeout_s=1) for _ in range(20)]
        assert {prediction.gender for prediction in predictions} == {"female"}
        # After some timeouts, the silent server is ejected.
        assert (predictions[0].attempts, predictions[-1].attempts) == (2, 1)


def test_garbage_is_an_error(address: str, scheme: str) -> None:
    with proxy(address, corrupt) as corrupting:
        url = f"{scheme}://127.0.0.1:{corrupting.port}"
        with Client(url, retry=Retry(attempts=1)) as client, pytest.raises((ProtocolError, Unavailable)):
            client.predict(nickname="小美", timeout_s=2)


def test_slow_reader_is_awaited(address: str, scheme: str) -> None:
    with proxy(address, chunk=2**15, pause_s=0.003) as slow, Client(f"{scheme}://127.0.0.1:{slow.port}") as client:
        started_s = time.monotonic()
        assert client.predict(avatar=LARGE, nickname="小美", timeout_s=30).attempts == 1
        assert time.monotonic() - started_s > len(LARGE) / 2**15 * 0.003
        with pytest.raises(DeadlineExceeded):
            client.predict(avatar=LARGE, nickname="小美", timeout_s=0.1)


def test_deadline_holds_if_server_stops_reading(triton: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """gRPC itself waits without limit while most of a request is unsent."""
    # Closing a client waits for the end of the connection.
    monkeypatch.setattr(grpc, "STALLED_MS", 2000)

    def stall(broken: Proxy) -> None:
        broken.fault, broken.pause_s = half_close, 30

    with proxy(triton.grpc_url) as broken, Client(f"grpc://127.0.0.1:{broken.port}", retry=Retry(attempts=1)) as client:
        client.predict(nickname="小美")
        stall(broken)
        with ends_soon(), pytest.raises((Unavailable, DeadlineExceeded)):
            client.predict(nickname="小美", avatar=LARGE, timeout_s=0.5)

    async def predict_async(broken: Proxy) -> None:
        async with AsyncClient(f"grpc://127.0.0.1:{broken.port}", retry=Retry(attempts=1)) as client:
            await client.predict(nickname="小美")
            stall(broken)
            with ends_soon(), pytest.raises((Unavailable, DeadlineExceeded)):
                await client.predict(nickname="小美", avatar=LARGE, timeout_s=0.5)

    with proxy(triton.grpc_url) as broken:
        asyncio.run(predict_async(broken))


@pytest.fixture(scope="module")
def permissive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Triton that allows a probe every half second, also on idle connections."""
    repository = tmp_path_factory.mktemp("models")
    add_model(repository, "gender_mobilenet", GENDER_IO)
    flags = ("--grpc-keepalive-permit-without-calls=true", "--grpc-http2-min-recv-ping-interval-without-data=500")
    with running_triton(repository, *flags) as server:
        yield server


def connections_after_silence(server: Server, keepalive_s: float | None) -> int:
    """Counts the connections of two calls with six seconds of silence in between."""
    with proxy(server.grpc_url) as counted:
        options = ConnectionOptions(keepalive_s=keepalive_s)
        with Client(f"grpc://127.0.0.1:{counted.port}", options=options) as client:
            client.predict(nickname="小美")
            time.sleep(6)
            client.predict(nickname="小美")
        return counted.connections


def test_triton_closes_connections_that_probe_too_often(triton: Server, permissive: Server) -> None:
    with ThreadPoolExecutor() as pool:
        probing = pool.submit(connections_after_silence, triton, 1)
        allowed = pool.submit(connections_after_silence, permissive, 1)
        silent = pool.submit(connections_after_silence, triton, None)
    assert (probing.result() > 1, allowed.result(), silent.result()) == (True, 1, 1)


def test_threads_and_tasks_share_a_client_on_a_slow_network(address: str, scheme: str) -> None:
    def predict(client: Client) -> str:
        try:
            return client.predict(nickname="小美", timeout_s=60).gender
        except GenderClientError as error:
            return type(error).__name__

    async def predict_all(url: str) -> list[str]:
        async def one() -> str:
            try:
                return (await client.predict(nickname="小美", timeout_s=60)).gender
            except GenderClientError as error:
                return type(error).__name__

        async with AsyncClient(url) as client:
            return await asyncio.gather(*(one() for _ in range(200)))

    with proxy(address, delay(0.01)) as slow:
        url = f"{scheme}://127.0.0.1:{slow.port},{scheme}://{address}"
        with Client(url) as client, ThreadPoolExecutor(32) as pool:
            assert set(pool.map(lambda _: predict(client), range(200))) == {"female"}
        assert set(asyncio.run(predict_all(url))) == {"female"}
