"""Intervals that hold for identities and seeds: coverage in simulated worlds, and cases with a known answer."""

import numpy as np
import pandas as pd
import pytest

from training.arrays import FloatsN, IntsN
from training.evaluation.intervals import Estimate, Statistic, estimate, identities_of, resample
from training.evaluation.metrics import wilson_interval

WORLDS = 200


def world(seed: int, seeds: int) -> tuple[FloatsN, IntsN]:
    """Draw the scores of S models [S, N], mean 0.7, on users of 40 identities, which share a chance of success."""
    rng = np.random.default_rng(seed)
    identities = np.repeat(np.arange(40), rng.integers(1, 15, 40))
    chance = np.clip(0.7 + rng.normal(0, 0.2, 40)[identities] + rng.normal(0, 0.03, (seeds, 1)), 0, 1)
    return (rng.random(chance.shape) < chance).astype(float), identities


def mean_of(scores: FloatsN) -> Statistic:
    return lambda rows: scores[:, rows].mean(axis=1)


def coverage(intervals: list[tuple[float, float]], truth: float) -> float:
    return float(np.mean([low <= truth <= high for low, high in intervals]))


def test_intervals_cover_where_wilson_does_not() -> None:
    worlds = [world(seed, seeds=3) for seed in range(WORLDS)]
    truth = float(np.mean([scores.mean() for scores, _ in worlds]))
    ours = [estimate(mean_of(s), i, draws=200)[1:] for s, i in worlds]
    wilson = [wilson_interval(int(scores[0].sum()), len(identities)) for scores, identities in worlds]
    assert coverage(ours, truth) >= 0.92
    assert coverage(wilson, truth) < 0.8


def test_seeds_widen_the_interval() -> None:
    identities, same = np.arange(400), np.tile(np.arange(400) % 2, (3, 1))
    shifted = same + np.array([[-0.05], [0.0], [0.05]])
    narrow, wide = (estimate(mean_of(s), identities) for s in (same, shifted))
    assert narrow.value == pytest.approx(wide.value) == 0.5
    # Student's t for three seeds: 4.303 · 0.05 / √3.
    assert np.hypot(narrow.high - 0.5, 4.303 * 0.05 / np.sqrt(3)) == pytest.approx(wide.high - 0.5, rel=1e-3)


def test_one_identity_has_no_interval_of_its_own() -> None:
    values = np.array([0.0, 1.0, 1.0, 1.0])
    assert estimate(lambda rows: values[rows].mean(), np.zeros(4)) == Estimate(0.75, 0.75, 0.75)


def test_paired_difference_is_surer_than_two_intervals() -> None:
    rng = np.random.default_rng(0)
    first = rng.random((3, 300))
    second = first - 0.01
    difference = estimate(mean_of(first - second), np.arange(300))
    assert difference == pytest.approx((0.01, 0.01, 0.01))
    assert difference.excludes_zero
    assert not Estimate(0.01, -0.01, 0.03).excludes_zero


def test_draws_without_a_value_do_not_count() -> None:
    drawn = estimate(lambda rows: 1.0 if 0 in rows else np.nan, np.arange(3))
    assert drawn == Estimate(1.0, 1.0, 1.0)


def test_resamples_hold_whole_identities() -> None:
    identities = np.array(["b", "a", "b", "c", "b", "a"])
    for rows in resample(identities, 20, np.random.default_rng(1)):
        counts = np.bincount(rows, minlength=6)
        assert counts[0] == counts[2] == counts[4]
        assert counts[1] == counts[5]
        assert counts[0] + counts[1] + counts[3] == 3


def test_empty_identities_are_their_own() -> None:
    table = pd.DataFrame({"identity": ["a", "", "a", None, "b"]})
    codes = identities_of(table)
    assert codes[0] == codes[2]
    assert len(set(codes)) == 4
    assert len(set(identities_of(table.drop(columns="identity")))) == 5


def test_rounded_names_the_ends() -> None:
    assert Estimate(0.12345, 0.1, 0.2).rounded("auc") == {"auc": 0.1235, "auc_low": 0.1, "auc_high": 0.2}
