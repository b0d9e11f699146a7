"""Parts of the charts of experiments."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from figures.axes import log_y
from figures.colors import colors_of
from figures.save import save

from .experiment import Charted, Experiment, Measurement

# Widths of lines in points: percentiles beside a median are thin.
THICK, THIN = 1.7, 0.9
_MARKERS: Final = ("o", "s", "^", "D", "v", "P")


class Line(NamedTuple):
    """A line of a chart: its legend text, the thing whose color it has, and its width."""

    label: str
    thing: str
    width: float = THICK


def draw(experiment: Experiment, measurement: Measurement, folder: Path) -> None:
    """Write the chart of an experiment to `folder/name.png`, if it has one, and its further files."""
    experiment.write_extras(measurement, folder)
    if isinstance(experiment, Charted):
        save(partial(experiment.chart, measurement), folder / f"{experiment.name}.png")


def plot_columns(axes: Axes, x: "pd.Series[Any]", rows: pd.DataFrame, lines: Mapping[str, Line]) -> None:
    """Plot columns of `rows` over `x`, each as the line that belongs to its name."""
    colors = colors_of(line.thing for line in lines.values())
    for column, line in lines.items():
        axes.plot(x, rows[column], color=colors[line.thing], linewidth=line.width, label=line.label)


def plot_latency(axes: Axes, rows: pd.DataFrame, x: str, thing: str, variant: str | None = None) -> None:
    """Plot p50 (solid) and p99 (dotted) over a column, on a logarithmic scale.

    Args:
        axes: Where to plot.
        rows: One row per value of `x`, thing and variant.
        x: The column to plot over.
        thing: The column that determines the color.
        variant: A column with variants of each thing; markers of the second are hollow.
    """
    by = [thing] if variant is None else [thing, variant]
    colors, markers = colors_of(rows[thing]), dict(zip(rows[thing].unique(), _MARKERS, strict=False))
    for group, arm in rows.groupby(by, sort=False):
        names = [str(each) for each in group]
        is_hollow = variant is not None and names[1] != rows[variant].iloc[0]
        fill = axes.get_facecolor() if is_hollow else colors[names[0]]
        look: dict[str, Any] = {"color": colors[names[0]], "marker": markers[names[0]], "markerfacecolor": fill}
        axes.plot(arm[x], arm["p50_ms"], **look, label=", ".join(names))
        axes.plot(arm[x], arm["p99_ms"], ":", **look, alpha=0.7)
    axes.set_ylabel("p50 (solid) and p99 (dotted), ms")
    log_y(axes)


def plot_lines(axes: Axes, rows: pd.DataFrame, x: str, y: str, thing: str) -> None:
    """Plot a column over another from zero, one line per value of `thing`."""
    colors, markers = colors_of(rows[thing]), dict(zip(rows[thing].unique(), _MARKERS, strict=False))
    for name, arm in rows.groupby(thing, sort=False):
        axes.plot(arm[x], arm[y], color=colors[str(name)], marker=markers[name], label=str(name))
    axes.set_ylim(0, 1.1 * rows[y].max())
