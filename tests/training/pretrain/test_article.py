"""The article's differences are those of its table, and a verdict needs an interval without 0."""

import numpy as np
import pytest

from training.arrays import FloatsND
from training.pretrain.article import FINE_TUNING, IMAGENET, SWAV, TITLED, Comparison, comparisons, repeat, whitened

RNG = np.random.default_rng(0)
CARDS = np.arange(400) // 2


def values(mean: float) -> dict[str, FloatsND]:
    return {"style@10": np.clip(RNG.normal(mean, 0.1, (3, 400)), 0, 1)}


def test_differences_of_the_article() -> None:
    found = {(each.first, each.second, each.column): each.article for each in comparisons()}
    assert found[TITLED, SWAV, "style@10"] == pytest.approx(0.06023)
    assert found[whitened(TITLED), TITLED, "theme@10"] == pytest.approx(-0.00067)
    assert found[SWAV, IMAGENET, FINE_TUNING] == pytest.approx(0.0095)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [(0.7, 0.5, "reproduced"), (0.5, 0.7, "not reproduced"), (0.6, 0.6, "undecided")],
    ids=["above", "below", "equal"],
)
def test_verdict(first: float, second: float, verdict: str) -> None:
    repetition = repeat(Comparison("a", "b", "style@10", 0.1), {"a": values(first), "b": values(second)}, CARDS)
    assert repetition is not None
    assert repetition.verdict == verdict


def test_a_row_that_was_not_measured_is_not_compared() -> None:
    assert repeat(Comparison("a", "b", "style@10", 0.1), {"a": values(0.5)}, CARDS) is None
