"""One card and the most similar cards of the gallery, before and after training, as a picture."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genderclient import Client
from server.launch.process import ROOT
from training.synthetic.cards import compose_card, draw_card

from .picture import text_fonts
from .ranked_cards import DrawnGallery

# Written by `python -m conversion.untrained_neighbors`, because an encoder before training is not served.
BEFORE: Final = ROOT / "results" / "untrained_neighbors.json"


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


def save_similar_cards(similar: SimilarCards, gallery: DrawnGallery, file: Path) -> None:
    """Draw the card and its neighbors into a PNG file."""
    with matplotlib.rc_context({"font.family": text_fonts()}):
        figure = Figure(figsize=(1.5 * (1 + len(similar.after)), 3.9), layout="constrained")
        figure.suptitle("Similar cards  相似的图片", x=0.005, ha="left", fontsize=14)
        grid = figure.subplots(2, 1 + len(similar.after))
        for axes in grid.flat:
            axes.axis("off")
        rows = {"before training 训练前": similar.before, "after 训练后": similar.after}
        for row, (title, pictures) in zip(grid, rows.items(), strict=True):
            _draw(row[0], similar.seed, title)
            for axes, picture in zip(row[1:], pictures, strict=True):
                _draw(axes, gallery.seed(picture))
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=110)


def _draw(axes: Axes, seed: int, title: str = "") -> None:
    axes.imshow(draw_card(compose_card(seed)))
    axes.set_title(title, loc="left", fontsize=10)
