"""The pictures of a gallery: the shipped cards are drawn again from their seeds, so that no file is stored."""

from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Final

from picturegallery.files import read_gallery
from training.synthetic.cards import Card, compose_card, draw_card

SIDE: Final = 128
JPEG_QUALITY: Final = 80


class GalleryCards:
    """The pictures of a gallery version by id. Those that were not drawn have titles only."""

    def __init__(self, folder: Path) -> None:
        """Read the version in `folder`. Raises GalleryError if it is no gallery."""
        gallery = read_gallery(folder)
        self.version = int(folder.name)
        self.ids: list[int] = gallery.ids.tolist()
        self._titles: dict[int, str] = dict(zip(self.ids, gallery.titles, strict=True))
        first = gallery.about.get("first_seed")
        self._seeds = {} if first is None else {picture: first + row for row, picture in enumerate(self.ids)}

    @property
    def are_drawn(self) -> bool:
        """Whether the publisher of the version drew its pictures."""
        return bool(self._seeds)

    def title(self, picture: int) -> str:
        """The title of a picture; empty if the gallery lacks it."""
        return self._titles.get(picture, "")

    def card(self, picture: int) -> Card:
        """The card with this id. Raises KeyError if the gallery did not draw it."""
        return compose_card(self._seeds[picture])

    def of_theme(self, theme: str, count: int) -> list[int]:
        """The first cards with a theme."""
        return list(islice(self._with_theme(theme), count))

    def jpeg(self, picture: int) -> bytes | None:
        """The picture, `SIDE` × `SIDE`; None if the gallery did not draw it."""
        seed = self._seeds.get(picture)
        return None if seed is None else _drawn(seed)

    def _with_theme(self, theme: str) -> Iterator[int]:
        return (picture for picture in self._seeds if self.card(picture).theme == theme)


@lru_cache(maxsize=1024)
def _drawn(seed: int) -> bytes:
    file = BytesIO()
    draw_card(compose_card(seed)).resize((SIDE, SIDE)).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
