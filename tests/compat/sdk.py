"""The outputs that the SDK receives; other clients and other servers must give the same."""

from collections.abc import Sequence

import pytest

from genderclient import Client
from tests.support.pictures import encode, noise

AVATAR = encode(noise(), "JPEG")
# Both inputs, either one, neither.
USERS = [(AVATAR, "X国强🌸"), (b"", "小美"), (AVATAR, ""), (b"", "")]
NO_IMAGE = b"not an image"

Outputs = dict[str, list[float]]


def predict_users(url: str, model: str) -> list[Outputs]:
    """The output tensors for each of `USERS`, by name."""
    with Client(url, model=model) as client:
        return [_predict(client, avatar, nickname) for avatar, nickname in USERS]


def _predict(client: Client, avatar: bytes, nickname: str) -> Outputs:
    prediction = client.predict(avatar=avatar or None, nickname=nickname, embedding=True)
    return {
        "PROBABILITIES": [prediction.probabilities.male, prediction.probabilities.female],
        "WEIGHTS": [prediction.weights.avatar, prediction.weights.nickname],
        "EMBEDDING": list(prediction.embedding or ()),
    }


def assert_outputs_close(actual: Sequence[Outputs], expected: Sequence[Outputs]) -> None:
    for outputs, expected_outputs in zip(actual, expected, strict=True):
        assert set(outputs) == set(expected_outputs)
        for name, values in expected_outputs.items():
            assert outputs[name] == pytest.approx(values, rel=1e-5, abs=1e-6)
