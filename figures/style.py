"""Light and dark: the settings of matplotlib under which every plot is drawn."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
from cycler import cycler

from .colors import PALETTE
from .fonts import families

# GitHub shows pictures of a README 900 pixels wide at most.
WIDTH: Final = 9.0
DPI: Final = 100


@dataclass(frozen=True)
class Theme:
    """The colors that depend on the background.

    Attributes:
        paper: The background.
        ink: Text and axes.
        muted: What is less important than data, such as ticks, reference lines and notes.
        faint: Grid lines and empty areas.
    """

    paper: str
    ink: str
    muted: str
    faint: str


# Of GitHub's pages.
LIGHT: Final = Theme("#ffffff", "#1f2328", "#59636e", "#e2e6ea")
DARK: Final = Theme("#0d1117", "#f0f6fc", "#9198a1", "#2a313a")


@contextmanager
def style(chosen: Theme) -> Iterator[None]:
    """Draw the figures of a `with` block in a theme."""
    with mpl.rc_context(_settings(chosen)):
        yield


def theme() -> Theme:
    """Return the theme of the plot that is being drawn."""
    return DARK if mpl.rcParams["figure.facecolor"] == DARK.paper else LIGHT


def _settings(chosen: Theme) -> dict[Any, Any]:
    paper = dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), chosen.paper)
    ink = dict.fromkeys(("text.color", "axes.labelcolor", "axes.titlecolor"), chosen.ink)
    muted = dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), chosen.muted)
    sizes = dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 9)
    return {
        **paper,
        **ink,
        **muted,
        **sizes,
        "font.family": families(),
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=PALETTE),
        "grid.color": chosen.faint,
        "figure.constrained_layout.use": True,
        "figure.dpi": DPI,
        "savefig.dpi": DPI,
        "legend.frameon": False,
        "legend.borderaxespad": 0.3,
        "legend.columnspacing": 1.4,
        "lines.linewidth": 1.7,
        "lines.markersize": 5,
    }
