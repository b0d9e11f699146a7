"""Connection options on a real Triton: both protocols, threads and tasks."""

import asyncio
from typing import Any

import pytest

from genderclient import AsyncClient, Client, ConnectionOptions, InvalidAvatar, Prediction
from tests.support.pictures import encode, noise

PICTURE = encode(noise(), "PNG")


def predict_async(url: str, options: ConnectionOptions) -> Prediction:
    async def predict() -> Prediction:
        async with AsyncClient(url, options=options) as client:
            return await client.predict(avatar=PICTURE, nickname="小美", embedding=True)

    return asyncio.run(predict())


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_compression_changes_no_prediction(url: str, compression: Any) -> None:
    options = ConnectionOptions(compression=compression)
    with Client(url) as plain, Client(url, options=options) as compressed:
        expected = plain.predict(avatar=PICTURE, nickname="小美", embedding=True)
        prediction = compressed.predict(avatar=PICTURE, nickname="小美", embedding=True)
    assert prediction.embedding == expected.embedding
    assert predict_async(url, options).embedding == expected.embedding


def test_request_over_limit_is_not_sent(url: str) -> None:
    options = ConnectionOptions(max_message_bytes=4000)
    with Client(url, options=options) as client:
        assert client.predict(nickname="小美").gender == "female"
        with pytest.raises(InvalidAvatar, match=r"larger than max.*send a smaller picture"):
            client.predict(avatar=PICTURE)
    with pytest.raises(InvalidAvatar, match=r"larger than max.*send a smaller picture"):
        predict_async(url, options)


@pytest.mark.parametrize(
    "options", [{"max_message_bytes": 0}, {"compression": "zstd"}, {"keepalive_s": 0}, {"keepalive_s": float("inf")}]
)
def test_invalid_options_are_rejected(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        ConnectionOptions(**options)
