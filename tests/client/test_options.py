"""Options of connections, on a real Triton by both protocols and in both worlds."""

import asyncio
from typing import Any

import pytest

from genderclient import AsyncClient, Client, ConnectionOptions, InvalidAvatar, Prediction
from tests.support.pictures import encode, noise
from tests.support.tritonserver import Server

PICTURE = encode(noise(), "PNG")


@pytest.fixture(params=["grpc", "http"])
def url(request: pytest.FixtureRequest, triton: Server) -> str:
    return f"{request.param}://{triton.grpc_url if request.param == 'grpc' else triton.http_url}"


def by_tasks(url: str, options: ConnectionOptions) -> Prediction:
    async def ask() -> Prediction:
        async with AsyncClient(url, options=options) as client:
            return await client.predict(avatar=PICTURE, nickname="小美", embedding=True)

    return asyncio.run(ask())


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_compression_changes_no_answer(url: str, compression: Any) -> None:
    options = ConnectionOptions(compression=compression)
    with Client(url) as plain, Client(url, options=options) as compressed:
        expected = plain.predict(avatar=PICTURE, nickname="小美", embedding=True)
        found = compressed.predict(avatar=PICTURE, nickname="小美", embedding=True)
    assert found.embedding == expected.embedding
    assert by_tasks(url, options).embedding == expected.embedding


def test_a_request_over_the_limit_is_not_sent(url: str) -> None:
    options = ConnectionOptions(max_message_bytes=4000)
    with Client(url, options=options) as client:
        assert client.predict(nickname="小美").gender == "female"
        with pytest.raises(InvalidAvatar, match=r"larger than max.*send a smaller picture"):
            client.predict(avatar=PICTURE)
    with pytest.raises(InvalidAvatar, match=r"larger than max.*send a smaller picture"):
        by_tasks(url, options)


@pytest.mark.parametrize(
    "options", [{"max_message_bytes": 0}, {"compression": "zstd"}, {"keepalive_s": 0}, {"keepalive_s": float("inf")}]
)
def test_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        ConnectionOptions(**options)
