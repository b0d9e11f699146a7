"""Ceiling, leaks and McNemar's test, with literal numbers."""

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
        rng = Random(seed)
        gender, stratum = rng.choice(LABELS), draw_stratum(rng)
        avatar, nickname = (
            certain_evidence(signaled_gender(signal, gender)) for signal in (stratum.avatar, stratum.nickname)
        )
        rows.append((gender == "female", posterior(avatar, nickname), stratum.name != "neither"))
    return GroundTruth(*(np.array(column) for column in zip(*rows, strict=True)))


def test_ceiling_follows_from_the_posteriors() -> None:
    assert FOUR.ceiling == pytest.approx((1 + 0.8 + 0.5 + 0.5) / 4)
    # Of 300, 220 are determinable, 3 of them with a misleading nickname; half of the other 80 are right by chance.
    assert population(40_000).ceiling == pytest.approx((217 + 40) / 300, abs=0.005)


def test_metrics_are_relative_to_the_ceiling() -> None:
    metrics = measure(FOUR, np.array([0.9, 0.1, 0.1, 0.9]))
    assert (metrics["users"], metrics["accuracy"], metrics["determinable_users"]) == (4, 0.5, 2)
    assert metrics["determinable_accuracy"] == 1
    assert metrics["share_of_ceiling"] == pytest.approx(0.5 / 0.7, abs=1e-4)
    assert not metrics["leak"]


def test_posterior_reaches_the_ceiling_and_truth_leaks() -> None:
    users = population(4000)
    best = measure(users, users.posterior)
    assert best["share_of_ceiling"] == pytest.approx(1, abs=0.02)
    assert best["ece"] < 0.02
    assert not best["leak"]
    assert measure(users, users.female.astype(float))["leak"]


@pytest.mark.parametrize(("only_one", "only_other", "p"), [(0, 0, 1.0), (5, 0, 2 / 32), (3, 3, 1.0), (8, 1, 20 / 512)])
def test_mcnemar(only_one: int, only_other: int, p: float) -> None:
    one = np.repeat([True, True, False], [7, only_one, only_other])
    other = np.repeat([True, False, True], [7, only_one, only_other])
    assert mcnemar(one, other) == pytest.approx(p)
    assert mcnemar(other, one) == pytest.approx(p)
