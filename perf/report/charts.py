"""Draw the charts of experiments in one style."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes

from .experiment import Experiment, Measurement

STYLE: Final[dict[Any, Any]] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "savefig.dpi": 110,
}


def draw(experiment: Experiment, measurement: Measurement, folder: Path) -> None:
    """Write the chart of an experiment to `folder/name.png`, if it has one, and its further files."""
    with mpl.rc_context(STYLE):
        experiment.write_extras(measurement, folder)
        figure = experiment.chart(measurement)
        if figure:
            figure.savefig(folder / f"{experiment.name}.png")


def plot_columns(axes: Axes, x: "pd.Series[Any]", rows: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Plot one line per column of `rows` over `x`; `labels` maps columns to legend texts."""
    for column, label in labels.items():
        axes.plot(x, rows[column], label=label)
    axes.legend()


def plot_latency(axes: Axes, rows: pd.DataFrame, x: str, by: Sequence[str]) -> None:
    """Plot p50 (solid) and p99 (dotted) over a column, one color per group of `by`."""
    for group, arm in rows.groupby(list(by), sort=False):
        (line,) = axes.plot(arm[x], arm["p50_ms"], "o-", label=", ".join(map(str, group)))
        axes.plot(arm[x], arm["p99_ms"], "o:", color=line.get_color())
    axes.set(ylabel="p50 (solid) and p99 (dotted), ms", yscale="log")
    axes.legend()


def plot_lines(axes: Axes, rows: pd.DataFrame, x: str, y: str, by: str) -> None:
    """Plot a column over another from zero, one line per value of `by`."""
    for name, arm in rows.groupby(by, sort=False):
        axes.plot(arm[x], arm[y], "o-", label=name)
    axes.set_ylim(0, 1.1 * rows[y].max())
    axes.legend()
