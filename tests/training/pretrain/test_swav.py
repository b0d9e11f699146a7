"""Sinkhorn codes and the swapped prediction equal a slow version; prototypes freeze; the queue joins on time."""

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.preprocessing import normalize

from training.arrays import FloatsNK
from training.pretrain.moco import mean_loss
from training.pretrain.swav import SwAV, sinkhorn, swapped_prediction

RNG = np.random.default_rng(0)
SCORES = normalize(RNG.normal(size=(60, 16))) @ normalize(RNG.normal(size=(20, 16))).T
CROPS = [RNG.random((8, side, side, 3)).astype(np.float32) for side in (12, 12, 6, 6)]


def slow_sinkhorn(scores: FloatsNK, epsilon: float, iterations: int) -> FloatsNK:
    """Algorithm 1 of the paper, step by step."""
    q = np.exp(scores.astype(np.float64) / epsilon).T
    q /= q.sum()
    prototypes, pictures = q.shape
    for _ in range(iterations):
        q /= q.sum(axis=1, keepdims=True) * prototypes
        q /= q.sum(axis=0, keepdims=True) * pictures
    codes: FloatsNK = (q * pictures).T
    return codes


def small(**options: int) -> SwAV:
    encoder = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D()]
    )
    return SwAV(encoder, size=5, hidden=7, prototypes=6, **{"queue": 16, **options})


@pytest.mark.parametrize("iterations", [1, 3, 10])
def test_codes_equal_the_slow_version(iterations: int) -> None:
    expected = slow_sinkhorn(SCORES, 0.05, iterations)
    np.testing.assert_allclose(sinkhorn(SCORES, 0.05, iterations), expected, rtol=1e-4, atol=1e-7)


def test_codes_are_distributions_and_cover_the_prototypes_equally() -> None:
    codes = ops.convert_to_numpy(sinkhorn(SCORES, 0.05, 3))
    np.testing.assert_allclose(codes.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(sinkhorn(SCORES, 0.05, 50)).sum(axis=0), 3, rtol=0.02)


def test_codes_equal_literal_numbers() -> None:
    """Both prototypes attract both pictures equally in total, so each picture gets its own."""
    codes = sinkhorn(np.array([[1.0, 0.0], [0.0, 1.0]]), 1.0, 3)
    np.testing.assert_allclose(codes, [[0.731059, 0.268941], [0.268941, 0.731059]], atol=1e-5)


@pytest.mark.parametrize("scores", [SCORES.astype(np.float16), SCORES * 50, np.zeros((4, 3))])
def test_codes_are_finite(scores: FloatsNK) -> None:
    codes = ops.convert_to_numpy(sinkhorn(scores))
    assert np.isfinite(codes).all()
    np.testing.assert_allclose(codes.sum(axis=1), 1, atol=1e-4)


def test_prediction_equals_the_formula() -> None:
    codes = ops.convert_to_numpy(sinkhorn(SCORES)).astype(np.float64)
    probabilities = np.exp(SCORES / 0.1) / np.exp(SCORES / 0.1).sum(axis=1, keepdims=True)
    expected = [-sum(q * np.log(p)) for q, p in zip(codes, probabilities, strict=True)]
    np.testing.assert_allclose(swapped_prediction(SCORES, codes, 0.1), expected, rtol=1e-4)


def test_loss_pairs_every_code_with_every_other_crop() -> None:
    model = small()
    model.queue_from = 10
    prototypes = normalize(ops.convert_to_numpy(model.prototypes))
    scores = [ops.convert_to_numpy(model.head(model.encoder(crop))) @ prototypes.T for crop in CROPS]
    pairs = [(view, crop) for view in (0, 1) for crop in range(4) if crop != view]
    slow = [swapped_prediction(scores[crop], slow_sinkhorn(scores[view], 0.05, 3), 0.1) for view, crop in pairs]
    np.testing.assert_allclose(model(CROPS), np.mean([ops.convert_to_numpy(loss) for loss in slow], axis=0), rtol=1e-4)


def test_prototypes_are_frozen_at_first() -> None:
    model = small(frozen=1)
    model.compile(keras.optimizers.SGD(1.0), loss=mean_loss)
    start = ops.convert_to_numpy(model.prototypes)
    model.fit(CROPS, np.zeros(8), batch_size=8, verbose=0)
    np.testing.assert_array_equal(ops.convert_to_numpy(model.prototypes), start)
    model.fit(CROPS, np.zeros(8), batch_size=8, verbose=0)
    assert not np.allclose(ops.convert_to_numpy(model.prototypes), start)


def test_queue_joins_at_its_step() -> None:
    early, late = small(queue_from=0), small(queue_from=2)
    late.set_weights(early.get_weights())
    for model in (early, late):
        model(CROPS, training=True)
        model(CROPS, training=True)
    # From here on, both use the same full queue.
    np.testing.assert_allclose(early(CROPS), late(CROPS), rtol=1e-6)
    assert int(late.steps) == 2
    # Before, only `early` did.
    first = [small(queue_from=start) for start in (0, 2)]
    first[1].set_weights(first[0].get_weights())
    assert np.abs(ops.convert_to_numpy(first[0](CROPS)) - ops.convert_to_numpy(first[1](CROPS))).max() > 1e-4


def test_rejects_one_crop() -> None:
    with pytest.raises(ValueError, match="expected at least two crops, got 1"):
        small()(CROPS[:1])
