"""`reliability.variants`: pairs of every kind, and one run on a live Triton."""

from argparse import Namespace
from collections import Counter

import pandas as pd

from perf.report.experiment import Measurement
from reliability.variants.experiment import TOLERANCE, Variants
from reliability.variants.nicknames import EMOJI_MARKUP, LATIN, pairs


def test_pairs_repeat_by_seed_and_cover_every_kind() -> None:
    drawn = pairs(seed=3, per_kind=5)
    assert drawn == pairs(seed=3, per_kind=5) != pairs(seed=4, per_kind=5)
    kinds = Counter(pair.kind for pair in drawn)
    assert kinds.keys() >= {
        *EMOJI_MARKUP,
        *LATIN,
        "[name]",
        "/code",
        "SoftBank",
        "traditional",
        "sentinel",
        "lookalike",
    }
    assert max(kinds.values()) == 5


def test_every_variant_gives_prediction_of_canonical() -> None:
    experiment = Variants()
    measurement = experiment.measure(Namespace(seed=2, per_kind=3))
    kinds = measurement.metadata["kinds"]
    assert [kind for kind in kinds if kind["right"] < kind["tried"] or kind["difference"] > TOLERANCE] == []
    assert {kind["input"] for kind in kinds} == {"nickname", "picture", "argument", "table"}
    assert all(goal.met for goal in experiment.goals(measurement))
    assert "lookalike" in experiment.table(measurement)


def test_difference_is_not_rounded_away() -> None:
    wrong = {"input": "picture", "kind": "modes", "tried": 9, "right": 8, "difference": 2e-6}
    goals = Variants().goals(Measurement(pd.DataFrame(), {"kinds": [wrong]}))
    assert [(goal.met, goal.figure) for goal in goals] == [(False, "1 of 9 are not"), (False, "2.0e-06")]
