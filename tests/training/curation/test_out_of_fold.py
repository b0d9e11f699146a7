"""Out-of-fold probabilities find wrong labels, which a fitted model would have learned."""

import numpy as np
import pytest

from training.curation.o2u import suspects
from training.curation.out_of_fold import expected_losses, probabilities


def test_wrong_labels_have_the_highest_losses() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 8))
    truth = np.where(x[:, 0] < -0.4, 0, np.where(x[:, 0] < 0.4, 1, 2))
    x[:, 0] *= 5
    wrong = rng.random(300) < 0.1
    labels = np.where(wrong, (truth + 1) % 3, truth)
    p = probabilities(x, labels, np.arange(300))
    assert p.sum(axis=1) == pytest.approx(np.ones(300))
    assert wrong[suspects(expected_losses(p, labels), labels, 0.1)].mean() > 0.7


def test_a_picture_is_judged_without_its_own_group() -> None:
    # Vectors say nothing, but each group has one label and is at one place.
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 5)
    labels = np.repeat(rng.permutation(np.arange(40) % 2), 5)
    x = np.repeat(rng.normal(size=(40, 60)), 5, axis=0)
    apart, together = (probabilities(x, labels, each).argmax(axis=1) == labels for each in (groups, np.arange(200)))
    assert apart.mean() < 0.7 < 0.95 < together.mean()


def test_unlabeled_pictures_are_scored_by_their_entropy() -> None:
    x = np.concatenate([np.linspace(-3, -1, 20), np.linspace(1, 3, 20), [0.0, 5.0]])[:, None]
    labels = np.array([0] * 20 + [1] * 20 + [-1, -1])
    p = probabilities(x, labels, np.arange(42))
    unsure, sure = expected_losses(p, labels)[40:]
    assert unsure == pytest.approx(np.log(2), abs=0.05)
    assert sure < 0.1


def test_losses_are_the_cross_entropy_of_given_labels() -> None:
    p = np.array([[0.25, 0.75], [0.25, 0.75], [0.5, 0.5]])
    assert expected_losses(p, np.array([0, 1, -1])) == pytest.approx([1.3863, 0.2877, 0.6931], abs=1e-4)


@pytest.mark.parametrize("labels", [[0] * 10, [0] * 10 + [1] * 4, [-1] * 10])
def test_each_label_needs_a_picture_in_each_fold(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="at least 5 different pictures each"):
        probabilities(np.zeros((len(labels), 2)), np.array(labels), np.arange(len(labels)))
