"""Choose pictures with known defects from a seed: a benchmark for screening pictures, after article 003."""

from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Final

from .cards import compose_card
from .defect_motifs import HARMLESS, UNSUITABLE

ATTRIBUTES: Final = (
    "blurred",
    "low_resolution",
    "text_overlay",
    "collage",
    "white_background",
    "solid_background",
    "several_subjects",
    "illustration",
    "empty_slot",
    "error_page",
    "unsuitable",
)
# Share of unsuitable pictures in a real stream.
PREVALENCE: Final = 1e-3
P_HARMLESS: Final = 0.05
PAGES: Final = ("empty_slot", "error_page")
# The base of a picture that is a photo.
PHOTO: Final = "photo"
_LAYOUTS: Final = {
    "plain": 0.64,
    "collage": 0.06,
    "white_background": 0.08,
    "solid_background": 0.08,
    "several_subjects": 0.06,
    "empty_slot": 0.04,
    "error_page": 0.04,
}
_BASES: Final = {"card": 0.5, "portrait": 0.15, "scene": 0.1, "rendering": 0.25}


@dataclass(frozen=True)
class Picture:
    """What a picture shows, and with which defects.

    Args:
        seed: Of everything drawn.
        split: Its split; the motifs of one split have no design of another.
        base: Kind of picture: card, portrait, scene, rendering, photo, or subject on its own.
        layout: `plain`, or the attribute of the composition.
        quality: `blurred`, `low_resolution` or empty.
        text: Whether an advertisement or a watermark covers it.
        motif: Family of the small thing drawn on it, or empty.
        design: Number of its design within the family.
    """

    seed: int
    split: str
    base: str
    layout: str
    quality: str
    text: bool
    motif: str
    design: int

    @property
    def labels(self) -> dict[str, int]:
        """Return 1, 0, or −1 where it does not apply, by attribute.

        A page without a picture has no quality. A thumbnail is blurred, pixel art is coarse, and the paper of line art
        is almost white: there, neither answer is wrong. What a photo shows is not known.
        """
        present = {self.layout, self.quality}
        present |= {"text_overlay"} if self.text else set()
        present |= {"illustration"} if self.base not in ("rendering", PHOTO) else set()
        present |= {"unsuitable"} if self.motif in UNSUITABLE else set()
        unknown = self._unknown()
        return {each: -1 if each in unknown else int(each in present) for each in ATTRIBUTES}

    def _unknown(self) -> set[str]:
        if self.layout in PAGES:
            return {*ATTRIBUTES} - {*PAGES, "unsuitable"}
        unknown = {"white_background", "solid_background", "several_subjects"} if self.base == PHOTO else set()
        if self.quality:
            return unknown | ({"blurred", "low_resolution"} - {self.quality})
        if self.layout == "plain" and self.base == "card":
            style = compose_card(self.base_seed).style
            return {"line art": {"white_background"}, "pixel": {"low_resolution"}}.get(style, set())
        return unknown

    @cached_property
    def base_seed(self) -> int:
        """The seed of the card, avatar or rendering below."""
        return self.rng("base").getrandbits(48)

    def rng(self, purpose: str) -> Random:
        """Return random choices for one purpose, independent of those for others."""
        return Random(f"defects/{self.split}/{self.seed}/{purpose}")


def compose(
    seed: int, split: str = "train", p_unsuitable: float = PREVALENCE, p_harmless: float = P_HARMLESS
) -> Picture:
    """Choose a picture.

    Args:
        seed: Any number.
        split: `train`, `validation` or `test`.
        p_unsuitable: The probability of a motif of `UNSUITABLE`.
        p_harmless: That of a motif of `HARMLESS`.
    """
    rng = Random(f"defects/{split}/{seed}")
    layout, base = _weighted(_LAYOUTS, rng), _weighted(_BASES, rng)
    if layout not in ("plain", "collage"):
        base = "" if layout in PAGES else "subject"
    quality = _weighted({"": 0.84, "blurred": 0.08, "low_resolution": 0.08}, rng)
    text, chance = rng.random() < 0.1, rng.random()
    if layout in PAGES:
        return Picture(seed, split, base, layout, "", False, "", 0)
    families = UNSUITABLE if chance < p_unsuitable else HARMLESS if chance > 1 - p_harmless else {}
    if not families:
        return Picture(seed, split, base, layout, quality, text, "", 0)
    # Nothing blurs a motif: what cannot be seen has no true label.
    return Picture(seed, split, base, layout, "", text, rng.choice(tuple(families)), rng.choice(designs_of(split)))


def designs_of(split: str) -> range:
    """Return the designs of each family that pictures of a split show: 30, 10 and 10."""
    return {"train": range(30), "validation": range(30, 40), "test": range(40, 50)}[split]


def row_of(picture: Picture) -> dict[str, object]:
    """Return a picture's columns in a manifest; an attribute that does not apply is empty."""
    labels = {name: "" if value < 0 else value for name, value in picture.labels.items()}
    about = {"seed": picture.seed, "split": picture.split, "base": picture.base}
    return {**about, "motif": picture.motif, "design": picture.design, **labels}


def _weighted(weights: dict[str, float], rng: Random) -> str:
    return rng.choices(tuple(weights), tuple(weights.values()))[0]
