"""`embed` and `similar` on the project's Triton, over both protocols."""

import asyncio
import math

import pytest
from PIL import Image

from genderclient import AsyncClient, Client, InvalidInput, InvalidPicture, Picture, ProtocolError
from tests.support.pictures import encode, noise

CARD = encode(noise(), "PNG")
PLAIN = encode(Image.new("RGB", (32, 32), "white"), "PNG")


def test_neighbors_of_an_id_are_others_most_similar_first(client: Client) -> None:
    neighbors = client.similar(17, k=5)
    assert len(set(neighbors.pictures)) == 5
    assert 17 not in neighbors.pictures
    assert list(neighbors.scores) == sorted(neighbors.scores, reverse=True)
    assert -1.001 <= neighbors.scores[-1] <= neighbors.scores[0] <= 1.001
    assert (neighbors.model, neighbors.attempts) == ("similar", 1)
    # Pictures of equal score may change places.
    assert client.similar(17, k=100).scores[:5] == pytest.approx(neighbors.scores, abs=1e-4)


def test_vectors_have_length_1_and_a_plain_picture_has_none(client: Client) -> None:
    embedding = client.embed(CARD, "早安")
    assert embedding.vector is not None
    assert embedding.title_vector is not None
    assert math.hypot(*embedding.vector) == pytest.approx(1, abs=1e-3)
    assert math.hypot(*embedding.title_vector) == pytest.approx(1, abs=1e-3)
    assert client.embed(CARD).vector == pytest.approx(embedding.vector, abs=1e-4)
    assert client.embed(CARD).title_vector is None
    assert client.embed(PLAIN).vector is None
    assert len(client.similar(CARD, k=3).pictures) == 3


def test_bad_pictures_fail_alone(client: Client) -> None:
    embedded = list(
        client.embed_many([Picture(picture=b"not an image"), Picture(title="早安"), Picture(title="名" * 5000)])
    )
    assert isinstance(embedded[0].error, InvalidPicture)
    assert "PICTURE: not an image" in str(embedded[0].error)
    assert embedded[1].embedding
    assert isinstance(embedded[2].error, InvalidInput)
    assert "TITLE: " in str(embedded[2].error)
    matched = list(client.similar_many([10**12, CARD, 17], k=1))
    assert isinstance(matched[0].error, InvalidInput)
    assert "PICTURE_ID: " in str(matched[0].error)
    assert all(each.neighbors for each in matched[1:])


def test_models_are_probed_and_have_contracts_of_their_own(client: Client) -> None:
    assert client.is_ready(model="embed")
    assert client.is_ready(model="similar")
    with pytest.raises(ProtocolError, match=r"^gender_mobilenet: .*of the same release"):
        client.embed(CARD, model="gender_mobilenet")


def test_tasks_search(url: str) -> None:
    async def search() -> tuple[int, ...]:
        async with AsyncClient(url) as client:
            return (await client.similar(17, k=5)).pictures

    with Client(url) as client:
        assert asyncio.run(search()) == client.similar(17, k=5).pictures
