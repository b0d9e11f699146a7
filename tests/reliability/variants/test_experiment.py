"""`reliability.variants`: pairs of every kind, and one run on a live Triton."""

from argparse import Namespace
from collections import Counter

import pytest

from reliability.variants.experiment import Variants
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


@pytest.mark.parametrize("seed", [1, 2])
def test_every_variant_gives_prediction_of_canonical(seed: int) -> None:
    experiment = Variants()
    measurement = experiment.measure(Namespace(seed=seed, per_kind=4))
    assert [goal.text for goal in experiment.goals(measurement) if not goal.met] == []
    assert "lookalike" in experiment.table(measurement)
