"""The figure of `training.pretrain.tables`: consistency over the epochs, by row, and a map of the gallery."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from sklearn.manifold import TSNE

from ..arrays import FloatsN2, ImagesNSS3
from .measures import Embeddings
from .rows import Cards, Row

_COLORS: Final = ("#4c78a8", "#f2a541", "#72b7b2", "#b279a2")
_GRAY: Final = "#8c8c8c"
_MAPPED: Final = 400
_THUMBNAIL: Final = 64


def draw(report: Mapping[str, Any], mapped: Row, cards: Cards) -> Figure:
    """Draw the report, with a map of test cards in the whitened embedding of the row `mapped`."""
    figure = Figure(figsize=(15, 9), layout="constrained")
    panels = figure.subplot_mosaic([["curve", "map"], ["bars", "map"]], width_ratios=(1, 2))
    _draw_curve(panels["curve"], report)
    _draw_bars(panels["bars"], report)
    once = np.unique(cards.test_at(_THUMBNAIL).table["card"], return_index=True)[1][:_MAPPED]
    test = cards.test_at(mapped.size).rows(once)
    encoder = mapped.encoders[0]()
    embeddings = Embeddings(mapped.embed(encoder, cards.train_at(mapped.size)), mapped.embed(encoder, test)).whitened()
    places = TSNE(init="pca", perplexity=15, random_state=0).fit_transform(embeddings.test)
    _draw_map(panels["map"], places, cards.test_at(_THUMBNAIL).pixels[once])
    panels["map"].set_title(f"{len(once)} cards in the embedding “{mapped.name} + w” (t-SNE)")
    return figure


def _draw_curve(axes: Axes, report: Mapping[str, Any]) -> None:
    """Plot the theme consistency of held-out cards after each epoch, one line for each run."""
    for color, (name, runs) in zip(_COLORS, report["runs"].items(), strict=False):
        for index, run in enumerate(runs):
            values = run["theme_consistency"]
            label = name if index == 0 else None
            axes.plot(np.arange(1, len(values) + 1), values, "o-", color=color, markersize=3, alpha=0.8, label=label)
    axes.axhline(report["chance"]["theme@10"], color=_GRAY, linestyle=":", label="chance")
    axes.set(
        xlabel="epoch", ylabel="neighbors of the same theme", title="K = 10, held-out cards, one line for each run"
    )
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)


def _draw_bars(axes: Axes, report: Mapping[str, Any]) -> None:
    """Plot theme and style consistency at K = 10 of each row, with intervals and chance."""
    names = list(report["rows"])
    places = np.arange(len(names))
    for offset, column, color in ((-0.2, "theme@10", _COLORS[0]), (0.2, "style@10", _COLORS[1])):
        rows = [report["rows"][name][column] for name in names]
        values = np.array([row["value"] for row in rows])
        errors = [[row["value"] - row["value_low"] for row in rows], [row["value_high"] - row["value"] for row in rows]]
        axes.barh(places + offset, values, 0.4, xerr=errors, color=color, label=column, error_kw={"linewidth": 0.8})
        axes.axvline(report["chance"][column], color=color, linestyle=":")
    axes.set_yticks(places, names, fontsize=8)
    axes.invert_yaxis()
    axes.set_title("same label among 10 neighbors; dotted: chance")
    axes.legend(frameon=False, fontsize=8)


def _draw_map(axes: Axes, places: FloatsN2, pictures: ImagesNSS3) -> None:
    axes.scatter(places[:, 0], places[:, 1], s=0)
    for place, picture in zip(places, pictures, strict=True):
        axes.add_artist(AnnotationBbox(OffsetImage(picture, zoom=0.42), tuple(place), frameon=False))
    axes.set_axis_off()
