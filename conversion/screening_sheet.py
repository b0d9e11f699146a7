"""A page that shows which pictures the screener refuses, and where it looks."""

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image

from training.arrays import ImageSS3
from training.evaluation.gradcam import overlay

from .gallery_screening import Refusal

_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Refused pictures</title>
<style>
  body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem; }}
  main {{ display: flex; flex-wrap: wrap; gap: 1.5rem; }}
  figure {{ margin: 0; width: 268px; }}
  img {{ width: 132px; height: 132px; }}
  figcaption {{ overflow-wrap: anywhere; }}
</style>
<h1>Pictures that the screener refuses: {count}</h1>
<p>Each picture as the screener reads it, and where its first network sees the most probable attribute (Grad-CAM).
Numbers are probabilities.</p>
<main>
{figures}
</main>
</html>
"""
_FIGURE: Final = """<figure>
<img src="{picture}" alt="picture"> <img src="{heat}" alt="where the screener looks">
<figcaption>{name}<br><strong>{reasons}</strong></figcaption>
</figure>"""


def write_sheet(file: Path, refusals: Sequence[Refusal]) -> None:
    """Write the page; it needs no other file."""
    figures = "\n".join(
        _FIGURE.format(
            picture=_source(each.pixels),
            heat=_source(overlay(each.pixels, each.screening.heat)),
            name=escape(each.name),
            reasons=escape(each.reasons),
        )
        for each in refusals
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_PAGE.format(count=len(refusals), figures=figures), encoding="utf-8")


def _source(pixels: ImageSS3) -> str:
    """Return a picture as a `data:` URL."""
    png = BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
