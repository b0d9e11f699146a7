"""The ranking loss by literal numbers; the module detaches; targets get no gradient."""

import keras
import numpy as np
import pytest
from keras import ops

from training.curation.learning_loss import LearningLoss, pair_ranking_loss
from training.curation.multitask import build_network, predict, with_taps
from training.curation.network import Trunk
from training.evaluation.gradcam import gradient
from training.pretrain.moco import mean_loss

RNG = np.random.default_rng(0)
TRUNK = Trunk(size=16, width=8)
PICTURES = RNG.integers(0, 256, (4, 16, 16, 3), np.uint8)
LABELS = np.array([[1, 0], [0, 0], [1, 1], [0, 1]], np.int8)


@pytest.mark.parametrize(
    ("predicted", "losses", "expected"),
    [
        pytest.param([0.0, 1, 2, 3], [0.0, 1, 2, 3], 0.0, id="perfect order, gaps from 1 on"),
        pytest.param([5.0, 5, 5, 5], [0.0, 1, 2, 3], 1.0, id="constant"),
        pytest.param([3.0, 2, 1, 0], [0.0, 1, 2, 3], (4 + 2) / 2, id="reversed"),
        pytest.param([0.0, 0, 0.5, 0.5], [0.0, 1, 2, 3], 0.5, id="order with gaps of a half"),
        pytest.param([1.0, 1], [2.0, 2], 1.0, id="tie"),
        pytest.param([3.0, 1], [2.0, 2], 3.0, id="tie counts as not larger"),
    ],
)
def test_pair_ranking_loss(predicted: list[float], losses: list[float], expected: float) -> None:
    """Pairs are (0, 3) and (1, 2)."""
    assert float(pair_ranking_loss(np.array(predicted), np.array(losses))) == pytest.approx(expected)


def test_odd_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="even batch, to pair its pictures, got 3"):
        pair_ranking_loss(np.zeros(3), np.zeros(3))


def test_taps_halve_the_side() -> None:
    _, *taps = with_taps(build_network(TRUNK, 2)).output
    assert [tuple(tap.shape[1:]) for tap in taps] == [(8, 8, 8), (4, 4, 16), (2, 2, 32), (2, 2, 32)]


@pytest.mark.parametrize(("detach_after", "reaches"), [(0, False), (1, True)], ids=["detached", "attached"])
def test_ranking_loss_reaches_the_network_until_it_is_detached(detach_after: int, reaches: bool) -> None:
    """Without labels, only the ranking loss could move the network."""
    keras.utils.set_random_seed(2)
    network = build_network(TRUNK, 2)
    objective = LearningLoss(network, detach_after)
    unlabeled = np.full_like(LABELS, -1)
    objective([PICTURES.astype(np.float32), unlabeled])
    # Batch normalization off: its statistics move without a gradient.
    objective.compile(keras.optimizers.SGD(1.0), loss=mean_loss)
    before = [ops.convert_to_numpy(each) for each in network.trainable_variables]
    module = [ops.convert_to_numpy(each) for each in objective.module.trainable_variables]
    objective.fit([PICTURES.astype(np.float32), unlabeled], np.zeros(4), batch_size=4, verbose=0)
    moved = [
        np.abs(ops.convert_to_numpy(v) - b).max() for v, b in zip(network.trainable_variables, before, strict=True)
    ]
    assert (max(moved) > 0) == reaches
    after = objective.module.trainable_variables
    assert any(np.abs(ops.convert_to_numpy(v) - b).max() > 0 for v, b in zip(after, module, strict=True))


def test_true_losses_get_no_gradient() -> None:
    predicted, losses = np.array([0.0, 1, 2, 0], np.float32), np.array([3.0, 1, 2, 0], np.float32)
    total = gradient(lambda each: ops.sum(each) + pair_ranking_loss(predicted, each), losses)
    assert total.tolist() == [1, 1, 1, 1]


def test_predictions_do_not_depend_on_the_parts() -> None:
    network = build_network(TRUNK, 2)
    p, losses = LearningLoss(network, detach_after=10).predict_pool(np.concatenate([PICTURES] * 65))
    assert losses.shape == (260,)
    np.testing.assert_allclose(losses[256:], losses[:4], atol=1e-4)
    np.testing.assert_allclose(p[256:], predict(network, PICTURES)[:, 0], atol=1e-5)
