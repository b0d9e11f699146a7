"""The cascade's logic and its thresholds."""

import itertools

import numpy as np
import pytest

from training.arrays import BoolsN, FloatsN
from training.curation.cascade import Thresholds, fires, tune
from training.curation.prevalence import precision_at

HALF = Thresholds(0.5, 0.5, 1.0, 1.0)


def test_truth_table_of_and() -> None:
    first, second = np.array([0.4, 0.4, 0.5, 0.5]), np.array([0.4, 0.5, 0.4, 0.5])
    assert fires(first, second, HALF).tolist() == [False, False, False, True]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("precision", [0.3, 0.6, 0.9])
def test_tuned_thresholds_are_the_best_of_all_pairs(seed: int, precision: float) -> None:
    positive, first, second = _scores(60, seed)
    best = _best_recall(positive, first, second, precision, 0.05)
    tuned = tune(first, second, positive, precision, 0.05)
    assert (tuned.recall if tuned else 0) == pytest.approx(best)
    if tuned:
        fired = fires(first, second, tuned)
        assert fired[positive].mean() == pytest.approx(tuned.recall)
        assert precision_at(fired[positive].mean(), fired[~positive].mean(), 0.05) == pytest.approx(tuned.precision)
        assert tuned.precision >= precision


def test_both_detectors_together_find_more_than_the_first_alone() -> None:
    positive, first, second = _scores(4000, 0)
    both, alone = (tune(first, other, positive, 0.9, 1e-2) for other in (second, np.ones(4000)))
    assert both and alone
    assert both.recall > alone.recall + 0.1


def test_no_thresholds_reach_what_noise_cannot() -> None:
    positive = np.arange(200) < 100
    assert tune(np.ones(200), np.ones(200), positive, 0.5, 1e-3) is None


def test_a_precision_below_the_prevalence_lets_everything_positive_through() -> None:
    positive, first, second = _scores(60, 0)
    tuned = tune(first, second, positive, 0.01, 0.05)
    assert tuned and tuned.recall == 1
    assert fires(first, second, tuned)[positive].all()


def _scores(count: int, seed: int) -> tuple[BoolsN, FloatsN, FloatsN]:
    rng = np.random.default_rng(seed)
    positive = rng.random(count) < 0.3
    first, second = (np.round(rng.normal(size=count) + 2 * positive, 1) for _ in range(2))
    return positive, first, second


def _best_recall(positive: BoolsN, first: FloatsN, second: FloatsN, precision: float, prevalence: float) -> float:
    recalls = [0.0]
    for pair in itertools.product(np.unique(first), np.unique(second)):
        fired = (first >= pair[0]) & (second >= pair[1])
        recall = float(fired[positive].mean())
        if recall and precision_at(recall, float(fired[~positive].mean()), prevalence) >= precision:
            recalls.append(recall)
    return max(recalls)
