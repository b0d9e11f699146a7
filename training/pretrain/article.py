"""What article 001 says of embeddings, as comparisons that the table repeats on drawn cards.

琢切, 内容推荐场景中自监督学习的应用. Its M6 reads picture and title, its baseline "Online" is an embedding of a
pretrained network, and its scene is the theme here. It states neither K nor intervals.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from ..arrays import FloatsND
from ..evaluation.intervals import Estimate, estimate

IMAGENET, MOCO, SWAV, DUAL = "ImageNet", "MoCo v2", "SwAV", "dual encoder"
# The dual encoder's vector of the picture plus that of the title, as M6 embeds both.
TITLED: Final = f"{DUAL}, picture + title"
UNTRAINED: Final = "untrained"
# The same network, whose batch normalization has the statistics of the train pictures, as every trained one has.
NORMALIZED: Final = f"{UNTRAINED}, normalized"
# The column of fine-tuning on few labels.
FINE_TUNING: Final = "fine-tuning"


def whitened(row: str) -> str:
    """Return the name of a row's whitened twin."""
    return f"{row} + w"


# Table 1: share of neighbors with the same style and with the same scene.
TABLE_1: Final = {
    IMAGENET: (0.63551, 0.62783),
    whitened(IMAGENET): (0.63704, 0.63452),
    MOCO: (0.61398, 0.68160),
    whitened(MOCO): (0.61538, 0.68738),
    SWAV: (0.64229, 0.71147),
    whitened(SWAV): (0.64566, 0.71604),
    TITLED: (0.70252, 0.70288),
    whitened(TITLED): (0.71607, 0.70221),
}
# Table 5: top-1 accuracy of a classifier that starts from SwAV, minus that of one that starts from ResNet50.
_CLASSIFIER_GAIN: Final = 0.7467 - 0.7372


@dataclass(frozen=True)
class Comparison:
    """Row `first` against row `second` in one column; `article` is its difference, first − second."""

    first: str
    second: str
    column: str
    article: float


@dataclass(frozen=True)
class Repetition:
    """A comparison on our pictures: the difference with its interval, and whether it has the article's sign."""

    comparison: Comparison
    ours: Estimate

    @property
    def verdict(self) -> str:
        """Return "reproduced", "not reproduced", or "undecided" if the interval contains 0."""
        if not self.ours.excludes_zero:
            return "undecided"
        return "reproduced" if self.ours.value * self.comparison.article > 0 else "not reproduced"


def comparisons() -> list[Comparison]:
    """Return the article's comparisons: whitening, each row with the one before it, and pretrained classifiers."""
    bases = (IMAGENET, MOCO, SWAV, TITLED)
    pairs = [(whitened(row), row) for row in bases] + list(zip(bases[1:], bases, strict=False))
    return [
        Comparison(first, second, column, TABLE_1[first][index] - TABLE_1[second][index])
        for index, column in enumerate(("style@10", "theme@10"))
        for first, second in pairs
    ] + [Comparison(SWAV, IMAGENET, FINE_TUNING, _CLASSIFIER_GAIN)]


def repeat(
    comparison: Comparison, values: Mapping[str, Mapping[str, FloatsND]], cards: NDArray[Any]
) -> Repetition | None:
    """Repeat a comparison on values `[S, M]` by row and column; None without one of its rows.

    Seeds and test pictures are paired.
    """
    if not {comparison.first, comparison.second} <= values.keys():
        return None
    first, second = (values[row][comparison.column] for row in (comparison.first, comparison.second))
    return Repetition(
        comparison, estimate(lambda rows: first[:, rows].mean(axis=1) - second[:, rows].mean(axis=1), cards)
    )
