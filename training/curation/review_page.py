"""A page on which a person checks labels by keyboard: one HTML file that needs no network."""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image

from ..arrays import ImageSS3
from .review_manifest import ReviewManifest

_TEMPLATE: Final = Path(__file__).with_name("review.html")


class Item(NamedTuple):
    """A picture to look at, its given label (empty if there is none), and the likeliest one (empty if unknown)."""

    row: int
    picture: ImageSS3
    given: str
    suggested: str


def page(manifest: ReviewManifest, items: Sequence[Item]) -> str:
    """Return the page. It saves a file of decisions for `ReviewManifest.corrected`."""
    content = {
        "manifest": manifest.digest,
        "column": manifest.label,
        "labels": manifest.labels,
        "items": [{**item._asdict(), "picture": _data_url(item.picture)} for item in items],
    }
    # "</" would end the script that holds the data.
    data = json.dumps(content, ensure_ascii=False).replace("</", "<\\/").replace("<!--", "<\\u0021--")
    return _TEMPLATE.read_text(encoding="utf-8").replace("{{review}}", data)


def _data_url(picture: ImageSS3) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
