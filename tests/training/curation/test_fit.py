"""Every way of training learns a bright corner, in seconds; mixed batches; losses of each epoch."""

import itertools

import keras
import numpy as np
import pytest

from training.arrays import ImagesNSS3, IntsNK
from training.curation.fit import (
    Schedule,
    _endless,
    _mixed_batches,
    cyclic_losses,
    fixmatch,
    learning_rate,
    mean_teacher,
    mine,
    supervise,
    supervise_with_losses,
)
from training.curation.multitask import UNLABELED, build_network, predict
from training.curation.network import Trunk

TRUNK = Trunk(size=16, width=8)
SCHEDULE = Schedule(steps=40, batch=16, learning_rate=5e-3)


def corners(count: int, seed: int) -> tuple[ImagesNSS3, IntsNK]:
    """Noise; half of the pictures have a bright square, which is their label."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 120, (count, 16, 16, 3), np.uint8)
    labels = (np.arange(count) % 2).astype(np.int8)
    pictures[labels == 1, 5:11, 5:11] = 250
    return pictures, labels[:, None]


PICTURES, LABELS = corners(64, 0)
UNSEEN, TRUTH = corners(40, 1)


@pytest.fixture
def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    return build_network(TRUNK, 1)


def accuracy(network: keras.Model) -> float:
    return float(((predict(network, UNSEEN) > 0.5) == TRUTH).mean())


def test_supervised(network: keras.Model) -> None:
    supervise(network, PICTURES, LABELS, SCHEDULE)
    assert accuracy(network) > 0.9


def test_with_predicted_losses(network: keras.Model) -> None:
    objective = supervise_with_losses(network, PICTURES, LABELS, SCHEDULE)
    assert accuracy(network) > 0.9
    p, losses = objective.predict_pool(UNSEEN)
    assert p.shape == losses.shape == (40,)


def test_mean_teacher_returns_the_teacher(network: keras.Model) -> None:
    teacher = mean_teacher(network, PICTURES[:8], LABELS[:8], PICTURES[8:], SCHEDULE, labeled_share=0.5)
    assert accuracy(teacher) > 0.8
    assert any(np.abs(mean - value).max() > 0 for mean, value in zip(teacher.weights, network.weights, strict=True))


def test_fixmatch(network: keras.Model) -> None:
    fixmatch(network, PICTURES[:8], LABELS[:8], PICTURES[8:], SCHEDULE, labeled_share=0.5)
    assert accuracy(network) > 0.8


@pytest.mark.parametrize("ordinary", [0, 8])
def test_mining_trains_both_networks(network: keras.Model, ordinary: int) -> None:
    second = build_network(Trunk(16, 8, blocks=1, cbam=True), 1)
    both = np.concatenate([np.full_like(LABELS, UNLABELED), LABELS], axis=1)
    first = build_network(TRUNK, 2)
    mine(first, second, PICTURES, both, SCHEDULE, count=8, ordinary=ordinary)
    assert ((predict(first, UNSEEN)[:, 1:] > 0.5) == TRUTH).mean() > 0.9
    assert accuracy(second) > 0.7


def test_cyclic_losses_has_one_loss_of_each_picture_and_epoch(network: keras.Model) -> None:
    wrong = LABELS.copy()
    wrong[:3] = 1 - wrong[:3]
    losses = cyclic_losses(network, PICTURES, wrong, epochs=6)
    assert losses.shape == (6, 64)
    assert (losses > 0).all()
    assert set(losses[3:].mean(axis=0).argsort()[-3:]) == {0, 1, 2}


def test_batches_contain_each_row_once_before_any_repeats() -> None:
    rows = np.concatenate(list(itertools.islice(_endless(10, 4, 0), 5)))
    assert sorted(rows[:10]) == sorted(rows[10:]) == list(range(10))


def test_mixed_batches_have_a_share_with_labels() -> None:
    batches = _mixed_batches(PICTURES, LABELS, UNSEEN, 0.25, Schedule(steps=20, batch=8))
    for (pictures, labels), _ in itertools.islice(batches, 3):
        assert pictures.shape == (8, 16, 16, 3)
        assert (labels[:2] != UNLABELED).all() and (labels[2:] == UNLABELED).all()


def test_learning_rate_warms_up_and_falls_to_zero() -> None:
    rates = [learning_rate(share, 1.0) for share in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert rates == pytest.approx([1 / 3, 2 / 3, 1, 0.5, 0])
