"""Each thing has one color, which color-blind people can tell from the others of the same plot."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from figures.colors import COLORS, PALETTE, colors_of
from perf.peers.catalogue import PEERS
from reliability.overload.flood import PROCESSES

# What a person sees whose eyes lack one kind of cones (Viénot, Brettel and Mollon, 1999), on linear RGB.
VISION = {
    "deuteranopia": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    "protanopia": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
}
PLOTS = {
    "predictions": ("male", "female", "avatar", "nickname"),
    "backbones": ("densenet", "mobilenet"),
    "peers": tuple(peer.name for peer in PEERS),
    "processes": PROCESSES,
    "requests": ("sent", "answered", "refused", "lost"),
    "training": ("train", "validation"),
}


def seen(color: str, vision: str) -> NDArray[np.float64]:
    """Linear RGB, [3]."""
    return np.dot(VISION[vision], np.power(to_rgb(color), 2.2))  # type: ignore[no-any-return]


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("plot", PLOTS)
def test_colors_of_a_plot_differ_for_color_blind_readers(plot: str, vision: str) -> None:
    colors = colors_of(PLOTS[plot])
    assert all(thing.lower() in COLORS for thing in colors)
    pairs = combinations(colors.values(), 2)
    assert min(np.abs(seen(one, vision) - seen(other, vision)).max() for one, other in pairs) > 0.05


def test_things_without_a_color_get_free_ones() -> None:
    colors = colors_of(["densenet", "resnet", "vit"])
    assert colors["densenet"] == COLORS["densenet"]
    assert len(set(colors.values())) == 3


def test_more_things_than_colors_have_colors() -> None:
    colors = colors_of(map(str, range(20)))
    assert len(colors) == 20
    assert set(colors.values()) == set(PALETTE)
