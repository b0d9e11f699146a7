"""Goals of the gender models are judged by the figures that their table shows."""

from typing import Any

import pytest

from conversion.card_goals import Goal, Measured, table
from tests.support.markdown import cells

FACES = "source faces_fairface"


def trusted(**measures: float) -> dict[str, dict[str, float]]:
    values = {"auc": 0.98, "accuracy": 0.9, "recall_gap": -0.02, "balanced_ece": 0.01, "surely_wrong": 0.01, **measures}
    return {"densenet 4": {**values, "auc": 0.5}, "densenet 5": values, "mobilenet 5": values}


WORDS = {"neutral": {"mean": 0.51, "spread": 0.04}}
SETS: dict[str, Any] = {
    "pictures": {"all": trusted(), FACES: trusted(auc=0.985), "origin East Asian": trusted(auc=0.97, surely_wrong=0.9)},
    "nicknames": {
        "all": trusted(),
        "set names": trusted(balanced_ece=0.06),
        "set census": trusted(accuracy=1.0),
        "set random words": dict.fromkeys(trusted(), WORDS),
    },
}
MEASURED = Measured(
    sets=SETS,
    costs=[{"backbone": model, "batch": 1, "ratio": 0.6} for model in ("densenet", "mobilenet")],
    towers={
        model: {"clean": {FACES: {"auc": 0.97}}, "small": {FACES: {"auc": 0.93}}} for model in ("densenet", "mobilenet")
    },
    nicknames={
        "text tower": {"names": {"auc": 0.8}, "random words": {"mean": 0.5}},
        "n-gram regression": {"names": {"auc": 0.79}, "random words": {"mean": 0.4}},
    },
    published={"densenet": {"int8_bytes": 14_800_000}, "mobilenet": {"int8_bytes": 9_500_000}},
)


def test_table_has_goal_figure_and_verdict_of_each_model() -> None:
    rows = {row[0]: row[1:] for row in cells(table(MEASURED))}
    expected = {
        "faces: AUC": ["0.985", "≥ 0.985", "met", "0.985", "≥ 0.98", "met"],
        "East Asian faces: AUC below that of all faces": ["0.015", "≤ 0.01", "**not met**"] * 2,
        "random words: mean of P(female) apart from one half": ["0.010", "≤ 0.03", "met"] * 2,
        # Not of groups of people.
        "calibration error, worst set": ["0.060", "≤ 0.05", "**not met**"] * 2,
        "surely wrong, worst set": ["0.010", "≤ 0.03", "met"] * 2,
        "pictures: accuracy below that of DenseNet121": ["", "", "", "0.000", "≤ 0.005", "met"],
        "time of version 2's graph for one user": ["0.60", "≤ 0.65", "met", "0.60", "≤ 0.55", "**not met**"],
    }
    assert {text: rows[text] for text in expected} == expected


@pytest.mark.parametrize(
    ("figure", "is_lower", "met"),
    [(0.0304, False, True), (0.0306, False, False), (0.0296, True, True), (0.0294, True, False)],
)
def test_verdict_is_that_of_the_rounded_figure(figure: float, is_lower: bool, met: bool) -> None:
    assert Goal("", lambda *_: figure, {"one": 0.03}, is_lower).is_met(figure, "one") == met
