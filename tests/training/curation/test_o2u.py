"""The schedule, the scores and the ranking of O2U-Net, and what they find."""

import numpy as np
import pytest
from numpy.random import Generator

from training.arrays import FloatsEN, FloatsN, FloatsND
from training.curation.o2u import cyclic_rate, noise_scores, suspects


def test_first_eleven_rates() -> None:
    rates = [cyclic_rate(epoch) for epoch in range(1, 12)]
    assert rates == pytest.approx(
        [0.0091, 0.0082, 0.0073, 0.0064, 0.0055, 0.0046, 0.0037, 0.0028, 0.0019, 0.001, 0.0091]
    )


@pytest.mark.parametrize(("epoch", "cycle"), [(0, 10), (1, 0)])
def test_epochs_and_cycles_start_at_one(epoch: int, cycle: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        cyclic_rate(epoch, cycle=cycle)


def test_centered_losses_of_each_epoch_sum_to_zero() -> None:
    losses = np.random.default_rng(0).exponential(size=(7, 50))
    assert all(noise_scores(losses[[epoch]]).sum() == pytest.approx(0) for epoch in range(7))
    assert noise_scores(np.array([[1.0, 3.0], [2.0, 6.0]])).tolist() == [-3.0, 3.0]


def test_suspects_are_ranked_within_their_label() -> None:
    scores = np.array([9.0, 8.0, 7.0, 6.0, 1.0, 0.0, 2.0, 5.0])
    labels = np.array([1, 1, 0, 0, 0, 0, 0, -1])
    assert suspects(scores, labels, 0.4).tolist() == [0, 2, 3]
    assert suspects(scores, labels, 1.0).tolist() == [0, 1, 2, 3, 6, 4, 5]
    assert suspects(scores, np.full(8, -1)).tolist() == []


def test_twenty_percent_of_wrong_labels_are_found_better_than_by_one_epoch() -> None:
    by_all, by_mean_epoch, by_last_epoch = np.mean([_precisions(seed) for seed in range(5)], axis=0)
    assert by_all > by_mean_epoch + 0.03
    assert by_all > by_last_epoch + 0.08
    assert by_all > 0.6


def _precisions(seed: int) -> tuple[float, float, float]:
    """Flag as many labels as are wrong; return the precision by all epochs, of the mean epoch and of the last."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(600, 16))
    truth = (x @ rng.normal(size=16) > 0).astype(int)
    wrong = rng.random(600) < 0.2
    labels = np.where(wrong, 1 - truth, truth)
    losses = _train(x, 2.0 * labels - 1, rng)

    def precision(scores: FloatsN) -> float:
        return float(wrong[suspects(scores, labels, 0.2)].mean())

    epochs = [precision(each) for each in losses]
    return precision(noise_scores(losses)), float(np.mean(epochs)), epochs[-1]


def _train(x: FloatsND, signs: FloatsN, rng: Generator) -> FloatsEN:
    """Train a network of one hidden layer by the schedule, 20 times as fast; return the losses in 30 epochs."""
    inner, outer = rng.normal(size=(16, 128)) / 4, rng.normal(size=128) / 11
    losses = np.zeros((30, len(x)))
    for epoch, recorded in enumerate(losses, start=1):
        rate = 20 * cyclic_rate(epoch)
        for rows in np.split(rng.permutation(len(x)), range(16, len(x), 16)):
            hidden = np.maximum(x[rows] @ inner, 0)
            margin = signs[rows] * (hidden @ outer)
            recorded[rows] = np.logaddexp(0, -margin)
            gradient = -signs[rows] / (1 + np.exp(margin)) / len(rows)
            inner -= rate * x[rows].T @ (np.outer(gradient, outer) * (hidden > 0))
            outer -= rate * hidden.T @ gradient
    return losses
