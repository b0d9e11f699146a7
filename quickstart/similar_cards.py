"""One card and the most similar cards of the gallery, before and after training, as a picture."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from figures.canvas import SMALL, TITLE, Canvas
from figures.save import save
from figures.style import theme
from genderclient import Client
from server.launch.process import ROOT
from training.synthetic.cards import Card, compose_card, draw_card

from .gallery_cards import GalleryCards
from .picture import MARGIN, WIDTH

# Written by `python -m conversion.untrained_neighbors`, because an encoder before training is not served.
BEFORE: Final = ROOT / "results" / "untrained_neighbors.json"
# Pixels.
CARD, GAP, CAPTION, HEADER, ROW = 134, 8, 12, 56, 166
NEIGHBORS_X: Final = MARGIN + CARD + 4 * GAP


@dataclass(frozen=True)
class SimilarCards:
    """The seed of a card, and its neighbors in the gallery by an encoder before training and by the served one."""

    seed: int
    before: Sequence[int]
    after: Sequence[int]


def find_similar_cards(client: Client) -> SimilarCards:
    """Ask for as many neighbors of a card as the stored answer before training has."""
    stored = json.loads(BEFORE.read_text(encoding="utf-8"))
    card = BytesIO()
    draw_card(compose_card(stored["query_seed"])).save(card, "PNG")
    neighbors = client.similar(card.getvalue(), k=len(stored["pictures"]))
    return SimilarCards(stored["query_seed"], stored["pictures"], neighbors.pictures)


def save_similar_cards(similar: SimilarCards, gallery: GalleryCards, file: Path) -> None:
    """Draw the card and its neighbors into a PNG file and its dark variant."""
    save(partial(draw_similar_cards, similar, gallery), file)


def draw_similar_cards(similar: SimilarCards, gallery: GalleryCards) -> Figure:
    """Draw the card and its neighbors, in one row by each encoder."""
    canvas = Canvas(WIDTH, HEADER + 2 * ROW)
    canvas.text(MARGIN, 22, "A card and the most similar ones  一张图片和与它最相似的图片", TITLE)
    rows = {"before training 训练前": similar.before, "after training 训练后": similar.after}
    for index, (caption, pictures) in enumerate(rows.items()):
        y = HEADER + ROW * index
        canvas.text(NEIGHBORS_X, y, caption, SMALL, theme().muted)
        for place, picture in enumerate(pictures):
            _draw(canvas, NEIGHBORS_X + (CARD + GAP) * place, y, gallery.card(picture))
    _draw(canvas, MARGIN, HEADER + ROW / 2, compose_card(similar.seed))
    return canvas.figure


def _draw(canvas: Canvas, x: float, y: float, card: Card) -> None:
    canvas.image(x, y + CAPTION, CARD, draw_card(card))
