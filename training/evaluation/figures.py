"""Matplotlib figures of an evaluation: arrays in, one figure out. No files and no global state."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from figures.colors import BLUE, COLORS, ORANGE
from figures.style import WIDTH, theme
from genderprep.tensors import LABELS

from ..arrays import FloatsN, ImageSS3, IntsN
from .metrics import CoverageCurve, ReliabilityBins, wilson_interval

DECISIONS: Final = (*LABELS, "unknown")
# Points of a confidence band: an exact curve has one for each user.
_BAND_POINTS: Final = 200


def learning_curves(history: pd.DataFrame) -> Figure:
    """Plot every column of `history.csv` that has a `val_` column, one panel each, over epochs counted from 1."""
    names = [name for name in history if f"val_{name}" in history]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, panels = _panels(rows, columns, size=(WIDTH / 3 * columns, 2.6 * rows + 0.6))
    for axes, name in zip(panels, names, strict=False):
        for column, label in ((name, "train"), (f"val_{name}", "validation")):
            axes.plot(history["epoch"] + 1, history[column], color=COLORS[label], marker="o", label=label)
        axes.set_title(str(name).replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels[len(names) :]:
        axes.remove()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    figure.supxlabel("epoch", fontsize=10)
    return figure


def confusion_matrix(counts: NDArray[np.integer[Any]], unknown_below: float) -> Figure:
    """Plot counts `[2, 3]`, label by decision, each cell with its share of the row."""
    figure, (axes,) = _panels(1, 1, size=(6, 3.6))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(
        shares, cmap=LinearSegmentedColormap.from_list("", (theme().faint, BLUE)), vmin=0, vmax=1, aspect="auto"
    )
    for (row, column), share in np.ndenumerate(shares):
        color = "white" if share > 0.5 else theme().ink
        text = f"{counts[row, column]}\n{share:.1%}"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=13)
    axes.grid(visible=False)
    axes.set_xticks(range(len(DECISIONS)), DECISIONS)
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set(xlabel="predicted", ylabel="label", title=f"Confusion; unknown below {unknown_below:g} or without input")
    return figure


def reliability_diagram(bins: ReliabilityBins, error: float) -> Figure:
    """Plot accuracy over confidence with 95 % intervals, above the users per bin. `error` is for the title."""
    figure, (upper, lower) = _panels(2, 1, size=(6, 5.4), height_ratios=(3, 1), sharex=True)
    edges = np.linspace(0, 1, len(bins.counts) + 1)
    used = np.flatnonzero(bins.counts)
    upper.plot((0, 1), (0, 1), color=theme().muted, linestyle="--", label="confidence = accuracy")
    low, high = _intervals(bins.accuracy[used] * bins.counts[used], bins.counts[used])
    spread = np.clip((bins.accuracy[used] - low, high - bins.accuracy[used]), 0, None)
    upper.errorbar(bins.confidence[used], bins.accuracy[used], spread, fmt="o", color=BLUE, capsize=3, label="users")
    upper.set(ylabel="accuracy", ylim=(0, 1.03), title=f"Reliability; expected calibration error {error:.3f}")
    upper.legend(loc="lower right")
    bars = lower.bar(edges[:-1], bins.counts, np.diff(edges), align="edge", color=BLUE, edgecolor=theme().paper)
    lower.bar_label(bars, [str(count) if count else "" for count in bins.counts], fontsize=9, padding=1)
    lower.set(xlabel="confidence: probability of the likelier label", ylabel="users", xlim=(edges[used[0]], 1))
    lower.margins(y=0.25)
    return figure


def coverage_curve(curve: CoverageCurve, unknown_below: float) -> Figure:
    """Plot the accuracy of the decided users over their share, with a 95 % band and the threshold marked."""
    figure, (axes,) = _panels(1, 1, size=(6, 4.0))
    accuracy = curve.correct / curve.decided
    points = np.unique(np.linspace(0, len(accuracy) - 1, _BAND_POINTS).round().astype(int))
    band = _intervals(curve.correct[points], curve.decided[points])
    axes.fill_between(curve.coverage[points], *band, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(curve.coverage, accuracy, color=BLUE)
    decided = np.flatnonzero(curve.thresholds >= unknown_below)
    if len(decided):
        x, y = curve.coverage[decided[-1]], accuracy[decided[-1]]
        axes.plot(x, y, "o", color=ORANGE, label=f"unknown below {unknown_below:g}: {x:.1%} decided, {y:.1%} correct")
        axes.legend(loc="lower left")
    axes.set(xlabel="coverage: share of users decided", ylabel="accuracy of the decided", title="Coverage and accuracy")
    axes.set(xlim=(0, 1.02), ylim=(min(0.5, accuracy.min()), 1.01))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def avatar_weights(weights: FloatsN, strata: NDArray[np.str_]) -> Figure:
    """Plot a histogram of the avatar's fusion weight for each stratum."""
    names = sorted(set(strata))
    figure, panels = _panels(len(names), 1, size=(6, 1.1 + 1.05 * len(names)), sharex=True, sharey=True)
    for axes, name in zip(panels, names, strict=True):
        of_stratum = weights[strata == name]
        counts, edges = np.histogram(of_stratum, 20, (0, 1))
        shares, color = counts / len(of_stratum), COLORS["avatar"]
        axes.bar(edges[:-1], shares, np.diff(edges), align="edge", color=color, edgecolor=theme().paper)
        axes.set_title(f"{name}: {len(of_stratum)} users, mean {of_stratum.mean():.2f}", fontsize=10, loc="left")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[-1].set(xlabel="weight of the avatar; the nickname has the rest", xlim=(0, 1))
    return figure


def picture_grid(pictures: Sequence[ImageSS3], captions: Sequence[str], title: str) -> Figure:
    """Plot pictures with captions, four in a row."""
    columns = min(3, len(pictures))
    rows = -(-len(pictures) // columns)
    figure, panels = _panels(rows, columns, size=(WIDTH / 3 * columns, 1.85 * rows + 0.4))
    for axes in panels:
        axes.axis("off")
    for axes, picture, caption in zip(panels, pictures, captions, strict=False):
        axes.imshow(picture)
        axes.set_title(caption, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def _panels(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=size, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **options).flat)


def _intervals(correct: FloatsN | IntsN, counts: IntsN) -> NDArray[np.floating[Any]]:
    """Return the lower and upper Wilson limits, `[2, N]`."""
    pairs = zip(np.rint(correct), counts, strict=True)
    return np.array([wilson_interval(int(c), int(count)) for c, count in pairs]).reshape(-1, 2).T
