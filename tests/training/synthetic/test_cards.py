"""Cards are determined by their seed, all different, and show what their manifest says."""

from itertools import chain
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from training.arrays import FloatsN
from training.pretrain.neighbors import recall_at
from training.synthetic.card_styles import STYLES
from training.synthetic.card_themes import THEMES
from training.synthetic.card_titles import GREETINGS, compose_title
from training.synthetic.cards import Card, compose_card, draw_card, font, write_cards


def small(card: Card, variation: int = 0) -> FloatsN:
    return np.asarray(draw_card(card, variation).resize((16, 16), Image.Resampling.BOX), np.float64).ravel()


def test_a_seed_determines_the_card() -> None:
    first, again = compose_card(5), compose_card(5)
    assert first == again
    assert draw_card(first).tobytes() == draw_card(again).tobytes()
    assert draw_card(first, 1).tobytes() == draw_card(again, 1).tobytes()


@pytest.mark.parametrize("theme", THEMES)
def test_every_theme_is_drawn_over_the_background(theme: str) -> None:
    with_theme = draw_card(Card(0, theme, "flat", "", ""))
    assert with_theme.size == (256, 256)
    others = [draw_card(Card(0, other, "flat", "", "")) for other in ("hearts", "tree")]
    assert all(with_theme.tobytes() != other.tobytes() for other in others if theme not in ("hearts", "tree"))


def test_styles_of_one_scene_differ() -> None:
    drawn = [small(Card(3, "cat", style, "", "")) for style in STYLES]
    distances = [np.abs(a - b).mean() for i, a in enumerate(drawn) for b in drawn[:i]]
    assert min(distances) > 3


def test_cards_are_distinct_and_a_card_drawn_again_is_closest_to_itself() -> None:
    cards = [compose_card(seed) for seed in range(60)]
    drawn = np.array([small(card, variation) for card in cards for variation in (0, 1)])
    assert len(np.unique(drawn, axis=0)) == 120
    # Pixels alone find most of them; an embedding should find more.
    assert recall_at(drawn, np.arange(120) // 2, [5])[5].value > 0.5


def test_all_themes_and_styles_occur_and_half_of_the_cards_have_a_greeting() -> None:
    cards = [compose_card(seed) for seed in range(2000)]
    assert {card.theme for card in cards} == {*THEMES}
    assert {card.style for card in cards} == {*STYLES}
    assert np.mean([bool(card.greeting) for card in cards]) == pytest.approx(0.5, abs=0.05)
    assert all(card.greeting in card.title for card in cards)
    assert max(len(card.title) for card in cards) <= 100


def test_a_greeting_is_written_on_the_card() -> None:
    with_text, without = (draw_card(Card(1, "sea", "flat", "", text)) for text in ("早安", ""))
    changed = np.any(np.asarray(with_text) != np.asarray(without), axis=2)
    assert 200 < changed.sum() < 6000


def test_the_font_has_all_characters_of_the_greetings() -> None:
    missing = bytes(font(24).getmask("\U0010fffe"))
    characters = {*chain(*GREETINGS["zh"], *GREETINGS["en"])} - {" "}
    assert [each for each in sorted(characters) if bytes(font(24).getmask(each)) == missing] == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_theme_and_style_has_titles(language: str) -> None:
    titles = {compose_title(t, s, "", language, Random(n)) for t in THEMES for s in STYLES for n in range(5)}
    assert len(titles) > 200


def test_manifest_lists_the_pictures(tmp_path: Path) -> None:
    table = pd.read_csv(write_cards(range(3, 6), 2, tmp_path), keep_default_na=False)
    assert list(table) == ["picture", "theme", "style", "title", "greeting", "card", "variation"]
    assert list(table["card"]) == [3, 3, 4, 4, 5, 5]
    assert list(table["theme"][::2]) == [compose_card(seed).theme for seed in (3, 4, 5)]
    with Image.open(tmp_path / table["picture"][3]) as picture:
        assert picture.tobytes() == draw_card(compose_card(4), 1).tobytes()
