"""Screen the pictures of a gallery before they are embedded."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from picturegallery.errors import GalleryError
from picturegallery.files import Gallery
from server.catalog import FORCED, GATE, SCREEN, Catalog
from training.arrays import ImageSS3

from .gallery_vectors import Prepared, batches
from .screening import SCREENER, Screener, Screening

# Publish nothing, the other pictures, or all.
Unsuitable = Literal["refuse", "drop", "force"]
# Refused pictures in an error.
_LISTED: Final = 40


@dataclass(frozen=True)
class Refusal:
    """A picture that the screener refuses.

    Args:
        name: Its row, and its id and file if it has them.
        reasons: The attributes that refuse it, with their probabilities.
    """

    row: int
    name: str
    reasons: str
    pixels: ImageSS3
    screening: Screening

    @classmethod
    def of(cls, prepared: Prepared, screening: Screening) -> "Refusal":
        picture = prepared.picture
        about = [f"id {picture.id}"] * (picture.id is not None) + [picture.file] * bool(picture.file)
        name = f"row {prepared.row}" + (f" ({', '.join(about)})" if about else "")
        reasons = ", ".join(f"{attribute} {value:.2f}" for attribute, value in screening.reasons.items())
        return cls(prepared.row, name, reasons, prepared.pixels, screening)


def served_screener(catalog: Catalog) -> Screener | None:
    """Return the screener that the ensemble screen serves; None if the repository has no such ensemble.

    Raises:
        CatalogError: It serves the latest version, and none is on disk.
        FileNotFoundError: Its version is not on disk.
        PrepMismatch: It was trained with another preprocessing.
    """
    served = SCREENER in catalog.backbones(SCREEN)
    return Screener(catalog.served_onnx(SCREENER, SCREEN)) if served else None


class UnsuitablePictures(GalleryError):
    """The screener refuses pictures, so that nothing is published."""


class GalleryGate:
    """Screens the pictures of a gallery.

    Args:
        screener: None lets every picture pass.
        unsuitable: What to do with pictures that the screener refuses.

    Attributes:
        refusals: The pictures that were refused so far.
    """

    def __init__(self, screener: Screener | None, unsuitable: Unsuitable) -> None:
        self._screener = screener
        self._unsuitable = unsuitable
        self.refusals: list[Refusal] = []

    def passed(self, rows: Iterable[Prepared], left_out: dict[int, str]) -> Iterator[Prepared]:
        """Yield pictures, without those to drop, which are added to `left_out`, by row, with the reasons."""
        for batch in batches(rows):
            screenings = self._screener.screen(np.stack([each.pixels for each in batch])) if self._screener else []
            found = {
                row.row: Refusal.of(row, each)
                for row, each in zip(batch, screenings, strict=bool(screenings))
                if each.reasons
            }
            self.refusals += found.values()
            if self._unsuitable == "drop":
                left_out |= {row: f"the screener refuses it: {each.reasons}" for row, each in found.items()}
            yield from (each for each in batch if each.row not in left_out)

    def check(self) -> None:
        """Raise UnsuitablePictures if pictures were refused that are neither dropped nor forced."""
        if self._unsuitable != "refuse" or not self.refusals:
            return
        lines = [f"  {each.name}: {each.reasons}" for each in self.refusals[:_LISTED]]
        if (more := len(self.refusals) - _LISTED) > 0:
            lines.append(f"  and {more} more")
        raise UnsuitablePictures(
            "\n".join([f"the screener refuses {len(self.refusals)} pictures, so nothing is published:", *lines])
            + "\nleave them out by --drop-unsuitable, or pass --force"
        )

    def facts(self, before: Gallery | None) -> dict[str, Any]:
        """Return what `gallery.json` records: the version of the screener, and whether all pictures passed.

        Args:
            before: The gallery that is extended; if it was forced, the extended one is.
        """
        if self._screener is None:
            return {}
        forced = bool(self.refusals and self._unsuitable == "force") or (
            before is not None and before.about.get(GATE) == FORCED
        )
        return {"screener_version": int(self._screener.file.parent.name), GATE: FORCED if forced else "passed"}
