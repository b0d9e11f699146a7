"""Parts of plots that never cover data: legends beside the axes, and readable numbers on logarithmic scales."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter


def legend_above(axes: Axes, columns: int = 4) -> None:
    """Put the legend between the top of the axes and whatever is above."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns)


def legend_beside(axes: Axes) -> None:
    """Put the legend to the right of the axes."""
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def shared_legend(figure: Figure, columns: int = 6) -> None:
    """Put one legend above all axes of a figure, with one entry for each label."""
    entries: dict[str, Artist] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        entries |= {label: handle for label, handle in zip(labels, handles, strict=True) if label not in entries}
    figure.legend(list(entries.values()), list(entries), loc="outside upper left", ncols=columns)


def log_y(axes: Axes) -> None:
    """Make the y scale logarithmic, with ticks such as 5, 10, 20 and 1,000."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def log_x(axes: Axes, ticks: Sequence[float]) -> None:
    """Make the x scale logarithmic, with these ticks."""
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


def labels_right(axes: Axes, labels: Sequence[str]) -> None:
    """Put one label to the right of the axes for each row of a chart, whose rows are at y = 0, 1, …"""
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(labels)), labels)
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)
