"""Ceiling, leaks and McNemar's test, with literal numbers."""

from random import Random

import numpy as np
import pytest

from genderprep.tensors import LABELS
from training.evaluation.benchmark import GroundTruth, compare, expected_accuracy, mcnemar, measure
from training.synthetic.strata import certain_evidence, draw_stratum, posterior, signaled_gender

FOUR = GroundTruth(
    female=np.array([True, False, True, False]),
    posterior=np.array([1.0, 0.2, 0.5, 0.5]),
    determinable=np.array([True, True, False, False]),
    new_nickname=np.array([True, False, True, False]),
    identities=np.arange(4),
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
    female, known, determinable = (np.array(column) for column in zip(*rows, strict=True))
    return GroundTruth(female, known, determinable, np.ones(count, bool), np.arange(count))


def test_ceiling_follows_from_the_posteriors() -> None:
    assert FOUR.ceiling == pytest.approx((1 + 0.8 + 0.5 + 0.5) / 4)
    # Of 300, 220 are determinable, 3 of them with a misleading nickname; half of the other 80 are right by chance.
    assert population(40_000).ceiling == pytest.approx((217 + 40) / 300, abs=0.005)


def test_accuracy_is_scored_by_posteriors() -> None:
    # Right for 1, 0.8, 0.5 and 0.5 of the users like each of the four, whatever gender was drawn.
    metrics = measure(FOUR, np.array([[0.9, 0.1, 0.1, 0.9]]))
    assert (metrics["users"], metrics["accuracy"], metrics["label_accuracy"]) == (4, 0.7, 0.5)
    assert (metrics["determinable_users"], metrics["determinable_accuracy"]) == (2, 0.9)
    assert (metrics["new_nicknames"], metrics["new_nickname_accuracy"]) == (2, 0.75)
    assert metrics["share_of_ceiling"] == 1
    assert not metrics["leak"]


def test_row_is_the_mean_over_its_seeds() -> None:
    metrics = measure(FOUR, np.array([[0.9, 0.1, 0.1, 0.9], [0.1, 0.1, 0.1, 0.9]]))
    assert metrics["accuracy_by_seed"] == [0.7, 0.45]
    assert metrics["accuracy"] == pytest.approx(0.575)
    assert metrics["accuracy_low"] < 0.45 < 0.7 < metrics["accuracy_high"]


def test_posterior_reaches_the_ceiling_and_truth_leaks() -> None:
    users = population(4000)
    best = measure(users, users.posterior[None])
    assert best["share_of_ceiling"] == 1
    assert best["ece"] < 0.02
    assert not best["leak"]
    assert measure(users, users.female[None].astype(float))["leak"]


def test_interval_widens_if_users_share_identities() -> None:
    users = population(400)
    p_female = np.where(np.arange(400) < 200, users.posterior, 1 - users.posterior)
    apart, together = (
        expected_accuracy(users.posterior, p_female, each) for each in (np.arange(400), np.arange(400) // 40)
    )
    assert apart.value == together.value
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_comparison_needs_every_seed_to_agree() -> None:
    users = population(400)
    best, worse = np.tile(users.posterior, (3, 1)), np.tile(users.posterior, (3, 1))
    worse[:, :100] = 1 - worse[:, :100]
    assert compare(users, best, worse).low > 0
    worse[0] = best[0]
    assert not compare(users, best, worse).excludes_zero


@pytest.mark.parametrize(("only_one", "only_other", "p"), [(0, 0, 1.0), (5, 0, 2 / 32), (3, 3, 1.0), (8, 1, 20 / 512)])
def test_mcnemar(only_one: int, only_other: int, p: float) -> None:
    one = np.repeat([True, True, False], [7, only_one, only_other])
    other = np.repeat([True, False, True], [7, only_one, only_other])
    assert mcnemar(one, other) == pytest.approx(p)
    assert mcnemar(other, one) == pytest.approx(p)
