"""A figure without axes, drawn pixel by pixel."""

from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from .style import DPI, theme

TEXT, SMALL, TITLE = 10, 9, 13


class Canvas:
    """A figure whose places and sizes are pixels, from the upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.figure = Figure(figsize=(width / DPI, height / DPI))
        self.figure.set_layout_engine("none")
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, width), ylim=(height, 0))
        self._axes.set_axis_off()

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = TEXT,
        color: str | None = None,
        align: Literal["left", "center", "right"] = "left",
    ) -> None:
        """Write one line, centered on the height `y`, in ink or in another color; `size` is in points."""
        self._axes.text(
            x, y, text, fontsize=size, color=color or theme().ink, ha=align, va="center_baseline", parse_math=False
        )

    def box(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """Fill a rectangle."""
        self._axes.add_patch(Rectangle((x, y), width, height, color=color, linewidth=0))

    def image(self, x: float, y: float, side: int, image: Image.Image) -> None:
        """Draw a square image."""
        pixels = image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
        self.figure.figimage(np.asarray(pixels), round(x), round(self.figure.bbox.height - y) - side, origin="upper")
