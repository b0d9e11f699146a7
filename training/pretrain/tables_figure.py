"""The figures of `training.pretrain.tables`, from the content of `results/pictures.json`."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.ticker import MaxNLocator, PercentFormatter

from figures.axes import legend_above
from figures.colors import BLUE, ORANGE, colors_of
from figures.style import WIDTH, theme

from ..synthetic.cards import compose_card, draw_card
from .rows import SERVED

_THUMBNAIL: Final = 64


def chart(report: Mapping[str, Any]) -> Figure:
    """Plot consistency over the epochs, and the neighbors with the same label of each row."""
    figure = Figure(figsize=(WIDTH, 0.32 * len(report["rows"]) + 1.6))
    curve, neighbors = figure.subplots(1, 2, width_ratios=(1, 1.25))
    _draw_curve(curve, report)
    _draw_neighbors(neighbors, report)
    return figure


def card_map(report: Mapping[str, Any]) -> Figure:
    """Draw the cards of the report's map at their places."""
    figure = Figure(figsize=(WIDTH, 6.6))
    axes = figure.subplots()
    places = report["map"]["places"]
    axes.scatter([each["x"] for each in places], [each["y"] for each in places], s=0)
    for each in places:
        card = draw_card(compose_card(each["card"])).resize((_THUMBNAIL, _THUMBNAIL))
        axes.add_artist(AnnotationBbox(OffsetImage(np.asarray(card), zoom=0.36), (each["x"], each["y"]), frameon=False))
    axes.set_title(f"{len(places)} cards in the embedding “{report['map']['row']} + w” (t-SNE)")
    axes.set_axis_off()
    return figure


def _draw_curve(axes: Axes, report: Mapping[str, Any]) -> None:
    """Plot the theme consistency of held-out cards after each epoch, one line for each run.

    The served encoder is left out: it was watched on other pictures, too.
    """
    compared = {name: runs for name, runs in report["runs"].items() if name != SERVED}
    colors = colors_of(compared)
    for name, runs in compared.items():
        for index, run in enumerate(runs):
            values, label = run["theme_consistency"], name if index == 0 else None
            axes.plot(np.arange(1, len(values) + 1), values, "o-", color=colors[name], markersize=3, label=label)
    axes.axhline(report["chance"]["theme@10"], color=theme().muted, linestyle=":", label="chance")
    axes.set(xlabel="epoch, one line for each run", ylabel="10 neighbors of the same theme", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    legend_above(axes, columns=2)


def _draw_neighbors(axes: Axes, report: Mapping[str, Any]) -> None:
    """Plot theme and style consistency at K = 10 of each row, with intervals and chance."""
    names = list(report["rows"])
    for offset, column, color, marker in ((-0.16, "theme@10", BLUE, "o"), (0.16, "style@10", ORANGE, "s")):
        rows = [report["rows"][name][column] for name in names]
        values = np.array([row["value"] for row in rows])
        ends = np.array([[row["value_low"], row["value_high"]] for row in rows]).T
        places = np.arange(len(names)) + offset
        axes.errorbar(values, places, xerr=np.abs(ends - values), fmt=marker, color=color, capsize=3, label=column)
        axes.axvline(report["chance"][column], color=color, linestyle=":")
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlabel="neighbors of the same label; dotted: chance")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    legend_above(axes)
