"""InfoNCE equals its formula; the queue wraps; the key encoder is the moving average and gets no gradient."""

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.preprocessing import normalize

from training.arrays import FloatsND
from training.pretrain.moco import MoCo, chance_loss, info_nce, mean_loss

RNG = np.random.default_rng(0)
VIEWS = [RNG.random((8, 6, 6, 3)).astype(np.float32) for _ in range(2)]


def units(rows: int, size: int = 16) -> FloatsND:
    vectors: FloatsND = normalize(RNG.normal(size=(rows, size)))
    return vectors


def encoder() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )


def small(queue: int = 16, splits: int = 2, momentum: float = 0.9) -> MoCo:
    return MoCo(encoder(), encoder(), size=5, hidden=32, queue=queue, momentum=momentum, splits=splits)


def test_loss_equals_the_formula() -> None:
    queries, keys, queue = units(7), units(7), units(32)
    positive = np.exp((queries * keys).sum(axis=1) / 0.2)
    negative = np.exp(queries @ queue.T / 0.2).sum(axis=1)
    expected = -np.log(positive / (positive + negative))
    np.testing.assert_allclose(info_nce(queries, keys, queue, 0.2), expected, rtol=1e-5)


def test_loss_equals_a_literal_number() -> None:
    """One positive at cosine 1 and three negatives at cosine 0, τ = 1: −ln(e / (e + 3))."""
    first, others = np.eye(4, dtype=np.float32)[:1], np.eye(4, dtype=np.float32)[1:]
    assert float(info_nce(first, first, others, 1.0)[0]) == pytest.approx(0.743668, abs=1e-5)


def test_loss_of_one_point_is_the_chance_loss() -> None:
    point = np.repeat(units(1), 64, axis=0)
    np.testing.assert_allclose(info_nce(point[:3], point[:3], point, 0.2), chance_loss(64), rtol=1e-6)


def test_loss_is_finite_at_a_low_temperature() -> None:
    assert np.isfinite(ops.convert_to_numpy(info_nce(units(4), units(4), units(8), 0.001))).all()


def test_queue_keeps_the_newest_keys_and_wraps() -> None:
    model = small()
    start = ops.convert_to_numpy(model.queue.keys)
    model(VIEWS, training=True)
    first = ops.convert_to_numpy(model.queue.keys)
    assert not np.allclose(first[:8], start[:8])
    np.testing.assert_array_equal(first[8:], start[8:])
    model(VIEWS, training=True)
    second = ops.convert_to_numpy(model.queue.keys)
    np.testing.assert_array_equal(second[:8], first[:8])
    assert not np.allclose(second[8:], start[8:])
    assert int(model.queue.pointer) == 0
    np.testing.assert_allclose(np.linalg.norm(second, axis=1), 1, rtol=1e-5)


def test_keys_come_back_in_the_order_of_the_pictures() -> None:
    """With one part, the statistics do not depend on the order, so the keys can differ by their order only."""
    model = small(splits=1)
    keys = ops.convert_to_numpy(model._shuffled_keys(VIEWS[1], training=True))
    np.testing.assert_allclose(keys, ops.convert_to_numpy(model.keys(VIEWS[1], training=True)), atol=1e-5)


def test_splits_have_statistics_of_their_own() -> None:
    keys = [ops.convert_to_numpy(small_with_same_weights(splits)._shuffled_keys(VIEWS[1], True)) for splits in (1, 4)]
    assert np.abs(keys[0] - keys[1]).max() > 1e-3


def test_every_call_shuffles_the_parts_anew() -> None:
    model = small(splits=2)
    keys = [ops.convert_to_numpy(model._shuffled_keys(VIEWS[1], training=True)) for _ in range(4)]
    assert max(np.abs(each - keys[0]).max() for each in keys[1:]) > 1e-3


def small_with_same_weights(splits: int) -> MoCo:
    keras.utils.set_random_seed(3)
    return small(splits=splits)


def test_training_moves_the_keys_by_the_momentum() -> None:
    model = small(momentum=0.9)
    model.compile(keras.optimizers.SGD(0.5), loss=mean_loss)
    before = model.keys.get_weights()
    model.fit(VIEWS, np.zeros(8), batch_size=8, verbose=0)
    after_first = model.queries.get_weights()
    kernel = next(i for i, weight in enumerate(model.queries.weights) if weight.trainable)
    np.testing.assert_allclose(model.keys.get_weights()[kernel], before[kernel], atol=1e-6)
    model.fit(VIEWS, np.zeros(8), batch_size=8, verbose=0)
    moved = 0.9 * before[kernel] + 0.1 * after_first[kernel]
    np.testing.assert_allclose(model.keys.get_weights()[kernel], moved, atol=1e-6)
    assert not np.allclose(after_first[kernel], before[kernel])


def test_only_the_query_encoder_is_trained() -> None:
    model = small()
    assert {id(v) for v in model.trainable_variables} == {id(v) for v in model.queries.trainable_variables}
    # Both gamma and beta of the batch normalization are trained: its layer is trainable.
    assert len(model.queries.trainable_variables) == 8
