"""Ceiling, leaks and the paired test, on literal numbers."""

from random import Random

import numpy as np
import pytest

from genderprep.tensors import LABELS
from training.evaluation.benchmark import GroundTruth, mcnemar, measure
from training.synthetic.strata import certain_evidence, draw_stratum, posterior, signaled_gender

FOUR = GroundTruth(
    female=np.array([True, False, True, False]),
    posterior=np.array([1.0, 0.2, 0.5, 0.5]),
    determinable=np.array([True, True, False, False]),
)


def population(count: int) -> GroundTruth:
    rows = []
    for seed in range(count):
        dice = Random(seed)
        gender, stratum = dice.choice(LABELS), draw_stratum(dice)
        avatar, nickname = (
            certain_evidence(signaled_gender(relation, gender)) for relation in (stratum.avatar, stratum.nickname)
        )
        rows.append((gender == "female", posterior(avatar, nickname), stratum.name != "neither"))
    return GroundTruth(*(np.array(column) for column in zip(*rows, strict=True)))


def test_the_ceiling_is_what_the_posteriors_allow() -> None:
    assert FOUR.ceiling == pytest.approx((1 + 0.8 + 0.5 + 0.5) / 4)
    # 220 of 300 can be told, less the 3 whose nickname lies; of the others, half.
    assert population(40_000).ceiling == pytest.approx((217 + 40) / 300, abs=0.005)


def test_measures_against_the_ceiling() -> None:
    found = measure(FOUR, np.array([0.9, 0.1, 0.1, 0.9]))
    assert (found["users"], found["accuracy"], found["determinable_users"]) == (4, 0.5, 2)
    assert found["determinable_accuracy"] == 1
    assert found["share_of_ceiling"] == pytest.approx(0.5 / 0.7, abs=1e-4)
    assert not found["leak"]


def test_who_knows_the_posterior_reaches_the_ceiling_and_who_knows_the_truth_leaks() -> None:
    users = population(4000)
    best = measure(users, users.posterior)
    assert best["share_of_ceiling"] == pytest.approx(1, abs=0.02)
    assert best["ece"] < 0.02
    assert not best["leak"]
    assert measure(users, users.female.astype(float))["leak"]


@pytest.mark.parametrize(("only_one", "only_other", "p"), [(0, 0, 1.0), (5, 0, 2 / 32), (3, 3, 1.0), (8, 1, 20 / 512)])
def test_mcnemar(only_one: int, only_other: int, p: float) -> None:
    both = np.array([True] * 7)
    one = np.concatenate([both, np.ones(only_one, bool), np.zeros(only_other, bool)])
    other = np.concatenate([both, np.zeros(only_one, bool), np.ones(only_other, bool)])
    assert mcnemar(one, other) == pytest.approx(p)
    assert mcnemar(other, one) == pytest.approx(p)
