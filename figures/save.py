"""Write a plot as two small PNG files, light and dark."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from .style import DARK, LIGHT, Theme, style

# A palette makes a file a third as large.
_COLORS: Final = 256
# Lines and text have some thousand colors along their smooth edges.
_MAX_PLAIN_COLORS: Final = 10_000
# The most frequent colors, such as those of bars, are not dithered.
_EXACT_COLORS: Final = 32


def save(draw: Callable[[], Figure], file: Path) -> None:
    """Draw a figure in light and in dark, as `NAME.png` and `NAME.dark.png`.

    Args:
        draw: Creates the figure; called once for each theme.
        file: `NAME.png`; its folder is created.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    for theme, target in ((LIGHT, file), (DARK, dark(file))):
        shrink(Image.open(BytesIO(png(draw, theme)))).save(target, optimize=True)


def png(draw: Callable[[], Figure], theme: Theme) -> bytes:
    """Draw a figure in a theme, as the content of a PNG file."""
    content = BytesIO()
    with style(theme):
        # Without the version of matplotlib, the same figure gives the same file.
        draw().savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def dark(file: Path) -> Path:
    """Return the dark variant of a file."""
    return file.with_suffix(f".dark{file.suffix}")


def shrink(picture: Image.Image) -> Image.Image:
    """Reduce a picture to a palette of its own; drawings and photos are dithered, except for their flat areas."""
    full = picture.convert("RGB")
    if full.getcolors(_MAX_PLAIN_COLORS) is not None:
        # One step of k-means makes frequent colors, such as the paper, exact.
        return full.quantize(_COLORS, Image.Quantize.MAXCOVERAGE, kmeans=1)
    counts = sorted(full.getcolors(full.width * full.height) or (), reverse=True)
    exact = np.array([color for _, color in counts[:_EXACT_COLORS]], np.uint8)
    others = full.quantize(_COLORS - len(exact), Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*others, *exact.ravel().tolist()])
    indices = np.array(full.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG))
    pixels = np.asarray(full)
    for index, color in enumerate(exact, start=len(others) // 3):
        indices[(pixels == color).all(axis=-1)] = index
    reduced = Image.fromarray(indices)
    reduced.putpalette(palette.getpalette() or [])
    return reduced
