"""`screen` on the project's Triton, over both protocols."""

import asyncio

import pytest
from PIL import Image

from genderclient import AsyncClient, Client, InvalidPicture
from genderclient._questions.screening import ATTRIBUTES
from tests.support.pictures import encode, noise
from training.synthetic.cards import compose_card, draw_card

PLAIN = encode(Image.new("RGB", (32, 32), "white"), "PNG")
# Cards of the shipped gallery.
CARDS = [encode(draw_card(compose_card(seed)), "PNG") for seed in (20001, 20002, 20003)]


def test_cards_of_the_gallery_are_suitable(client: Client) -> None:
    for screened in client.screen_many(CARDS):
        assert screened.screening
        assert (screened.screening.suitable, screened.screening.reasons) == (True, ())
        assert list(screened.screening.attributes) == list(ATTRIBUTES)
        assert all(0 <= value <= 1 for value in screened.screening.attributes.values())
        assert screened.screening.scores[0] == screened.screening.attributes["unsuitable"]


def test_plain_picture_is_unsuitable_without_a_reason(client: Client) -> None:
    screening = client.screen(PLAIN)
    assert (screening.suitable, screening.reasons, screening.scores) == (False, (), (0.0, 0.0))
    assert not any(screening.attributes.values())


def test_bad_pictures_fail_alone(client: Client) -> None:
    screened = list(client.screen_many([b"not an image", encode(noise(), "PNG")]))
    assert isinstance(screened[0].error, InvalidPicture)
    assert "PICTURE: not an image" in str(screened[0].error)
    assert screened[1].screening


def test_model_is_probed(client: Client) -> None:
    assert client.is_ready(model="screen")


def test_tasks_screen(url: str) -> None:
    async def screen() -> dict[str, float]:
        async with AsyncClient(url) as client:
            return (await client.screen(CARDS[0])).attributes

    with Client(url) as client:
        assert asyncio.run(screen()) == pytest.approx(client.screen(CARDS[0]).attributes, abs=1e-5)
