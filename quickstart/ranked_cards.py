"""Greeting cards for three users, before and after they liked three, as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from figures import style
from figures.canvas import SMALL, TITLE, Canvas
from figures.fonts import readable
from figures.save import save
from genderclient import Client
from training.synthetic.card_themes import THEMES
from training.synthetic.cards import draw_card
from training.synthetic.sample_users import SampleUser

from .gallery_cards import GalleryCards
from .picture import MARGIN, WIDTH, read_avatar

RANK_MODEL: Final = "rank_mobilenet"
USERS: Final = 3
CARDS: Final = 5
LIKED: Final = 3
# Pixels.
CARD, GAP, CAPTION, HEADER, ROW = 100, 8, 12, 56, 132
CHOSEN_X: Final = WIDTH - MARGIN - CARDS * (CARD + GAP) + GAP


@dataclass(frozen=True)
class RankedCards:
    """The cards for one user: by avatar and nickname alone, those then liked, and those chosen with them."""

    user: SampleUser
    without_history: Sequence[int]
    liked: Sequence[int]
    with_history: Sequence[int]


def rank_cards(client: Client, users: Sequence[SampleUser], gallery: GalleryCards) -> list[RankedCards]:
    """Choose cards for the first users, without a history and with one.

    Each history has cards of one theme, which no other history has and the first list lacks. Themes differ in how much
    they tell about a taste, so it is the theme that fills most of the second list.
    """
    themes = set(THEMES)
    ranked = []
    for user in users[:USERS]:
        ranked.append(_rank_for(client, user, gallery, sorted(themes)))
        themes -= {gallery.card(picture).theme for picture in ranked[-1].liked}
    return ranked


def _rank_for(client: Client, user: SampleUser, gallery: GalleryCards, themes: Sequence[str]) -> RankedCards:
    rank = partial(client.rank, nickname=user.nickname, avatar=user.avatar, k=CARDS, model=RANK_MODEL)
    without_history = rank().pictures
    shown = {gallery.card(picture).theme for picture in without_history}
    lists = []
    for theme in themes:
        if theme not in shown:
            liked = gallery.of_theme(theme, LIKED)
            others = [picture for picture in gallery.ids if picture not in liked]
            with_history = rank(liked=liked, among=others).pictures
            lists.append(([gallery.card(picture).theme for picture in with_history].count(theme), liked, with_history))
    _, liked, with_history = max(lists)
    return RankedCards(user, without_history, liked, with_history)


def save_cards(ranked: Sequence[RankedCards], gallery: GalleryCards, file: Path) -> None:
    """Draw avatars, chosen and liked cards into a PNG file and its dark variant."""
    save(partial(draw_ranked_cards, ranked, gallery), file)


def draw_ranked_cards(ranked: Sequence[RankedCards], gallery: GalleryCards) -> Figure:
    """Draw two rows for each user: the first cards, and those liked with the next cards."""
    canvas = Canvas(WIDTH, HEADER + ROW * 2 * len(ranked))
    canvas.text(MARGIN, 22, "Cards before and after three likes  点赞前后挑选的图片", TITLE)
    for index, of_user in enumerate(ranked):
        y = HEADER + ROW * 2 * index
        canvas.text(MARGIN, y, readable(of_user.user.nickname or ""))
        if of_user.user.avatar and (avatar := read_avatar(of_user.user.avatar)):
            canvas.image(MARGIN, y + CAPTION, CARD, avatar)
        _draw_row(canvas, CHOSEN_X, y, "chosen first 点赞前", of_user.without_history, gallery)
        _draw_row(canvas, MARGIN, y + ROW, "then liked 点赞", of_user.liked, gallery)
        _draw_row(canvas, CHOSEN_X, y + ROW, "chosen next 点赞后", of_user.with_history, gallery)
    return canvas.figure


def _draw_row(canvas: Canvas, x: float, y: float, caption: str, pictures: Sequence[int], gallery: GalleryCards) -> None:
    canvas.text(x, y, caption, SMALL, style.theme().muted)
    for index, picture in enumerate(pictures):
        canvas.image(x + (CARD + GAP) * index, y + CAPTION, CARD, draw_card(gallery.card(picture)))
