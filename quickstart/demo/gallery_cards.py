"""The pictures of the shipped gallery: cards that are drawn again from their seeds, so that no file is stored."""

import json
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np

from training.synthetic.cards import compose_card, draw_card

SIDE: Final = 128
JPEG_QUALITY: Final = 80


class GalleryCards:
    """Title and picture of each id of a gallery version."""

    def __init__(self, folder: Path) -> None:
        """Read the version in `folder`. Pictures of a gallery that was not drawn have titles only."""
        ids = np.load(folder / "ids.npy").tolist()
        titles = json.loads((folder / "titles.json").read_text(encoding="utf-8"))
        self.version = int(folder.name)
        about = json.loads((folder / "gallery.json").read_text(encoding="utf-8"))
        self._titles: dict[int, str] = dict(zip(ids, titles, strict=True))
        self._seeds = (
            dict(zip(ids, range(about["first_seed"], about["first_seed"] + len(ids)), strict=True))
            if ("first_seed" in about)
            else dict[int, int]()
        )

    def title(self, picture: int) -> str:
        """The title of a picture; empty if the gallery lacks it."""
        return self._titles.get(picture, "")

    def jpeg(self, picture: int) -> bytes | None:
        """The picture, `SIDE` × `SIDE`; None if the gallery did not draw it."""
        seed = self._seeds.get(picture)
        return None if seed is None else _drawn(seed)


@lru_cache(maxsize=1024)
def _drawn(seed: int) -> bytes:
    file = BytesIO()
    draw_card(compose_card(seed)).resize((SIDE, SIDE)).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
