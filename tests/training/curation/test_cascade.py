"""The cascade's logic, its short-circuit and its thresholds."""

import itertools

import numpy as np
import pytest

from training.arrays import BoolsN, FloatsN, ImagesNSS3
from training.curation.cascade import Thresholds, fires, short_circuit, tune
from training.curation.prevalence import precision_at

HALF = Thresholds(0.5, 0.5, 1.0, 1.0)


def test_truth_table_of_and() -> None:
    first, second = np.array([0.4, 0.4, 0.5, 0.5]), np.array([0.4, 0.5, 0.4, 0.5])
    assert fires(first, second, HALF).tolist() == [False, False, False, True]


def test_the_second_detector_sees_only_what_the_first_lets_through() -> None:
    pictures = np.arange(200, dtype=np.uint8).reshape(200, 1, 1, 1).repeat(3, axis=3)
    seen = []

    def first(batch: ImagesNSS3) -> FloatsN:
        return batch[:, 0, 0, 0] / 200

    def second(batch: ImagesNSS3) -> FloatsN:
        seen.extend(batch[:, 0, 0, 0].tolist())
        return (batch[:, 0, 0, 0] % 2).astype(float)

    verdicts, calls = short_circuit(pictures, first, second, Thresholds(0.9, 0.5, 1, 1))
    assert (calls, seen) == (20, list(range(180, 200)))
    assert np.flatnonzero(verdicts).tolist() == list(range(181, 200, 2))
    assert short_circuit(pictures, first, second, Thresholds(2, 0.5, 1, 1))[1] == 0
    assert len(seen) == 20


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
