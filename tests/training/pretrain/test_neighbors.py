"""Neighbors exclude the picture itself and its group; toy answers; chance levels hold on noise."""

import numpy as np
import pytest

from training.pretrain.neighbors import label_consistency, neighbors, recall_at

RNG = np.random.default_rng(0)
LINE = np.array([[0.0], [1.0], [3.0], [7.0], [7.5]])


def test_neighbors_of_a_toy() -> None:
    np.testing.assert_array_equal(neighbors(LINE, 2), [[1, 2], [0, 2], [1, 0], [4, 2], [3, 2]])


def test_neighbors_exclude_the_group() -> None:
    np.testing.assert_array_equal(neighbors(LINE, 1, np.array([0, 0, 1, 2, 2])), [[2], [2], [1], [2], [2]])


def test_copies_of_a_picture_do_not_hide_it() -> None:
    """With identical rows, the row itself need not come first; it is excluded all the same."""
    found = neighbors(np.zeros((6, 2)), 5)
    assert all(sorted(row) == [i for i in range(6) if i != index] for index, row in enumerate(found))


def test_consistency_of_a_toy() -> None:
    result = label_consistency(LINE, np.array(["a", "a", "b", "b", "b"]), 1)
    # Only the third picture's nearest neighbor has another label.
    assert result.value == pytest.approx(0.8)
    assert result.chance == pytest.approx(0.4**2 + 0.6**2)
    assert result.low < result.value <= result.high


def test_consistency_of_noise_is_chance() -> None:
    result = label_consistency(RNG.normal(size=(2000, 4)), RNG.choice(5, 2000, p=[0.4, 0.3, 0.1, 0.1, 0.1]), 10)
    assert result.value == pytest.approx(result.chance, abs=0.015)
    assert result.low <= result.value <= result.high


def test_recall_of_a_toy() -> None:
    recalls = recall_at(LINE, np.array([1, 2, 2, 3, 3]), [1, 2, 3])
    # The fifth and fourth find each other first; the third finds the second first; the second finds it second.
    assert [recalls[n].value for n in (1, 2, 3)] == [0.75, 1.0, 1.0]


def test_recall_of_noise_is_chance_and_grows() -> None:
    recalls = recall_at(RNG.normal(size=(900, 3)), np.arange(900) // 3, [1, 10, 100])
    assert recalls[10].chance == pytest.approx(1 - (897 / 899) ** 10, abs=0.001)
    for recall in recalls.values():
        assert recall.value == pytest.approx(recall.chance, abs=0.03)
    assert recalls[1].value < recalls[10].value < recalls[100].value


@pytest.mark.parametrize("k", [0, 5])
def test_rejects_an_impossible_k(k: int) -> None:
    with pytest.raises(ValueError, match=f"expected k between 1 and 4, .* got {k}"):
        neighbors(LINE, k)


def test_rejects_labels_of_another_length() -> None:
    with pytest.raises(ValueError, match="expected one label for each of 5 rows, got 2"):
        label_consistency(LINE, np.array([1, 2]), 1)
    with pytest.raises(ValueError, match="expected one group for each of 5 rows, got 2"):
        neighbors(LINE, 1, np.array([1, 2]))


def test_recall_needs_pairs() -> None:
    with pytest.raises(ValueError, match="expected at least two pictures of one group"):
        recall_at(LINE, np.arange(5), [1])
