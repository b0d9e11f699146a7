"""The rows of the ablation, and the claims of the article that they test."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from ..losses.late_mask import LateMask
from ..optimizers.gc_adamw import GRADIENT, UPDATE
from . import fasttext
from .config import Config, ConfigError
from .configs import seed as seed_preset

# Seeds of a row on which a claim rests.
CLAIM_SEEDS: Final = 3


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Args:
        name: Unique in the table.
        config: Of its runs, whose seeds are 1 to `seeds`.
        article: The article's accuracy.
        imagenet: Whether the trunk starts from ImageNet weights.
        text: The row whose text tower of the same seed it starts from.
        teacher: The row whose model of the same seed it distills.
        seeds: Number of runs.
    """

    name: str
    config: Config
    article: str = ""
    imagenet: bool = False
    text: str = ""
    teacher: str = ""
    seeds: int = CLAIM_SEEDS

    @property
    def dependencies(self) -> list[str]:
        """Names of the rows that must be trained first."""
        return [name for name in (self.text, self.teacher) if name]


@dataclass(frozen=True)
class Claim:
    """The article's difference in accuracy between two rows."""

    row: str
    against: str
    difference: float


# The article's text tower. Small images and few epochs: on two cores, a run takes minutes.
DENSENET: Final = Config(backbone="densenet121", epochs=3, image_size=96, ngrams=False)
MOBILENET: Final = replace(DENSENET, backbone="mobilenetv2")
# One loss, on the fused logit, and inputs that are never dropped.
PLAIN: Final = replace(DENSENET, auxiliary_loss=0.0, augmentation=replace(DENSENET.augmentation, drop_modality=0.0))
SEED_PRESET: Final = replace(seed_preset.get_config(), epochs=DENSENET.epochs, image_size=DENSENET.image_size)
NICKNAME: Final = Config(backbone="", epochs=6, batch=128, learning_rate=5e-4, ngrams=False)

FASTTEXT: Final = "FastText"
TEXT: Final = "text tower alone"
SEED_TEXT: Final = "text tower alone, mean over padding"
CONCAT: Final = "concat"
PLAIN_CONCAT: Final = "concat, one loss, no dropped inputs"
ATTENTION: Final = "attention"
FULL: Final = "attention, ImageNet"
SEED: Final = "seed preset"
MOBILE: Final = "MobileNetV2"
DISTILLED: Final = "MobileNetV2, distilled"


def _option(name: str, config: Config, article: str = "") -> Row:
    """Return a row that changes one thing in `FULL`."""
    return Row(name, config, article, imagenet=True, text=TEXT, seeds=1)


OPTIONS: Final = (
    _option("+ mask loss", replace(DENSENET, mask_loss=LateMask())),
    _option("+ CBAM", replace(DENSENET, cbam=True), "no gain"),
    _option("+ hand features", replace(DENSENET, hand_features=True), "no gain"),
    _option("GCAdamW on the gradient", replace(DENSENET, gradient_centralization=GRADIENT)),
    _option("GCAdamW on the update", replace(DENSENET, gradient_centralization=UPDATE)),
)
ROWS: Final = (
    Row(FASTTEXT, fasttext.CONFIG, "74 %"),
    Row(TEXT, NICKNAME),
    Row(SEED_TEXT, replace(NICKNAME, mean_over_padding=True), seeds=1),
    Row("image tower alone", replace(DENSENET, text=False), seeds=1),
    Row("image tower alone, ImageNet", replace(DENSENET, text=False), imagenet=True, seeds=1),
    Row(CONCAT, replace(DENSENET, fusion="concat"), "67 %", text=TEXT),
    Row(PLAIN_CONCAT, replace(PLAIN, fusion="concat"), "67 %", text=TEXT),
    Row(ATTENTION, DENSENET, "83 %", text=TEXT),
    Row(FULL, DENSENET, "85 %", imagenet=True, text=TEXT),
    Row(SEED, SEED_PRESET, "85 %", imagenet=True, text=SEED_TEXT, seeds=1),
    Row(MOBILE, MOBILENET, "84.2 %", imagenet=True, text=TEXT),
    Row(DISTILLED, MOBILENET, imagenet=True, text=TEXT, teacher=FULL),
    *OPTIONS,
)

CLAIMS: Final = (
    Claim(CONCAT, FASTTEXT, -0.07),
    Claim(ATTENTION, CONCAT, 0.16),
    Claim(FULL, ATTENTION, 0.02),
    Claim(MOBILE, FULL, -0.008),
)
# More pairs of rows to compare.
PAIRS: Final = (
    (TEXT, FASTTEXT),
    (CONCAT, TEXT),
    (PLAIN_CONCAT, CONCAT),
    (PLAIN_CONCAT, FASTTEXT),
    (DISTILLED, MOBILE),
    (DISTILLED, FULL),
    (SEED, FULL),
    *((option.name, FULL) for option in OPTIONS),
)


def with_dependencies(names: Iterable[str], rows: Iterable[Row] = ROWS) -> list[Row]:
    """Return the named rows and the rows that they depend on, in the order of the table.

    Raises:
        ConfigError: The table has no such row.
    """
    rows, selected = list(rows), set(names)
    known = [row.name for row in rows]
    if unknown := selected.difference(known):
        raise ConfigError(f"expected rows of the table ({'; '.join(known)}), got {', '.join(sorted(unknown))}")
    for row in reversed(rows):
        if row.name in selected:
            selected.update(row.dependencies)
    return [row for row in rows if row.name in selected]
