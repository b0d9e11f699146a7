"""Which rows each strategy takes."""

import numpy as np
import pytest

from training.arrays import FloatsND
from training.curation import selection

P = np.array([0.99, 0.95, 0.6, 0.45, 0.2, 0.05, 0.01])


def test_confidence_band() -> None:
    assert selection.confidence_band(P, 0.95, 0.05).tolist() == [0, 1, 5, 6]


def test_entropy_takes_the_most_uncertain() -> None:
    assert selection.entropy(P, 3).tolist() == [3, 2, 4]


def test_predicted_loss_takes_the_highest_of_a_random_subset() -> None:
    losses = np.arange(1000.0)
    assert selection.predicted_loss(losses, 3, np.random.default_rng(0)).tolist() == [999, 998, 997]
    rows = selection.predicted_loss(losses, 10, np.random.default_rng(0), subset=100)
    drawn = np.random.default_rng(0).permutation(1000)[:100]
    assert rows.tolist() == sorted(drawn, reverse=True)[:10]


def test_core_set_equals_the_obvious_greedy_cover() -> None:
    rng = np.random.default_rng(0)
    pool, labeled = rng.normal(size=(60, 3)), rng.normal(size=(4, 3))
    assert selection.core_set(pool, labeled, 12).tolist() == _greedy(pool, labeled, 12)
    assert sorted(selection.core_set(pool, labeled, 99)) == list(range(60))


def test_core_set_finds_each_of_the_clusters() -> None:
    centers = 10.0 * np.eye(5)
    pool = np.repeat(centers, 20, axis=0) + np.random.default_rng(0).normal(size=(100, 5))
    assert {row // 20 for row in selection.core_set(pool, centers[:1], 4)} == {1, 2, 3, 4}


def test_exploration_replaces_the_last_of_the_chosen() -> None:
    chosen = np.arange(40, 60)
    rows = selection.with_exploration(chosen, 100, 0.1, np.random.default_rng(0))
    assert rows[:18].tolist() == list(range(40, 58))
    assert len({*rows}) == 20
    assert not {*rows[18:]} & {*rows[:18]}


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_or_only_exploration(share: float) -> None:
    rows = selection.with_exploration(np.arange(10), 50, share, np.random.default_rng(1))
    assert (rows.tolist() == list(range(10))) == (share == 0)
    assert len({*rows}) == 10


def test_random_rows_are_distinct_and_seeded() -> None:
    rows = [selection.random(50, 20, np.random.default_rng(seed)).tolist() for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]
    assert len({*rows[0]}) == 20


def _greedy(pool: FloatsND, labeled: FloatsND, count: int) -> list[int]:
    chosen: list[int] = []
    for _ in range(count):
        centers = [*labeled, *pool[chosen]]
        chosen.append(max(range(len(pool)), key=lambda row: min(float(np.linalg.norm(pool[row] - c)) for c in centers)))
    return chosen
