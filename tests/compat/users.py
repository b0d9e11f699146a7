"""Who is asked about, and what the SDK says of them: whoever else is asked has to say the same."""

from collections.abc import Sequence

import pytest

from genderclient import Client
from tests.support.pictures import encode, noise

AVATAR = encode(noise(), "JPEG")
# With both, with one of them, with neither.
USERS = [(AVATAR, "X国强🌸"), (b"", "小美"), (AVATAR, ""), (b"", "")]
NO_IMAGE = b"not an image"

Outputs = dict[str, list[float]]


def predict(url: str, model: str) -> list[Outputs]:
    """The outputs that the SDK gets for each of `USERS`, by their names."""
    with Client(url, model=model) as client:
        return [outputs(client, avatar, nickname) for avatar, nickname in USERS]


def outputs(client: Client, avatar: bytes, nickname: str) -> Outputs:
    said = client.predict(avatar=avatar or None, nickname=nickname, embedding=True)
    return {
        "PROBABILITIES": [said.probabilities.male, said.probabilities.female],
        "WEIGHTS": [said.weights.avatar, said.weights.nickname],
        "EMBEDDING": list(said.embedding or ()),
    }


def check_same(found: Sequence[Outputs], expected: Sequence[Outputs]) -> None:
    """The same tensors for every user, but for rounding."""
    for one, other in zip(found, expected, strict=True):
        assert set(one) == set(other)
        for name, values in other.items():
            assert one[name] == pytest.approx(values, rel=1e-5, abs=1e-6)
