"""Attentive pooling equals a slow version, never reads masked items, and has a null vector for an empty history."""

from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import softmax

from tests.support.training.keras_objects import from_own_config
from training.layers import AttentivePooling, ConcatPooling, MaxPooling, MultiQueryAttentivePooling, SumPooling

RNG = np.random.default_rng(0)
QUERIES: Any = RNG.normal(size=(3, 2, 5)).astype(np.float32)
ITEMS: Any = RNG.normal(size=(3, 4, 6)).astype(np.float32)
MASK = np.array([[True, True, False, True], [True, False, False, False], [False] * 4])


def numpy_of(tensor: Any) -> Any:
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture
def pooling() -> Any:
    keras.utils.set_random_seed(2)
    layer = AttentivePooling(hidden=7)
    layer.build([QUERIES.shape, ITEMS.shape, MASK.shape])
    layer.null.assign(np.arange(6.0))
    return layer


def slow_weights(layer: Any, query: Any, items: Any) -> Any:
    """α of one query over unmasked items: softmax of MLP([q; b])."""
    kernel = np.concatenate([layer.of_query.get_weights()[0], layer.of_item.get_weights()[0]])
    joined = np.array([np.concatenate([query, item]) for item in items]) @ kernel + layer.of_query.get_weights()[1]
    active = np.where(joined > 0, joined, 0.25 * joined)
    return softmax((active @ layer.score.get_weights()[0])[:, 0])


def test_pooling_is_the_average_of_items_weighted_by_an_mlp(pooling: Any) -> None:
    pooled = numpy_of(pooling([QUERIES, ITEMS, MASK]))
    for user, query in ((0, 0), (0, 1), (1, 0)):
        items = ITEMS[user][MASK[user]]
        weights = slow_weights(pooling, QUERIES[user, query], items)
        np.testing.assert_allclose(pooled[user, query], weights @ items, atol=1e-5)


def test_literal_numbers() -> None:
    layer = AttentivePooling(hidden=1)
    layer.build([(1, 1, 1), (1, 2, 1), (1, 2)])
    # Scores 1·(q + b) with q = 1 and b = 0, ln 3 are 1 and 1 + ln 3, so the weights are 1/4 and 3/4.
    layer.of_query.set_weights([np.array([[1.0]]), np.array([0.0])])
    layer.of_item.set_weights([np.array([[1.0]])])
    layer.score.set_weights([np.array([[1.0]])])
    items = np.array([[[0.0], [np.log(3)]]], np.float32)
    pooled = numpy_of(layer([np.ones((1, 1, 1), np.float32), items, np.array([[True, True]])]))
    np.testing.assert_allclose(pooled, [[[0.75 * np.log(3)]]], atol=1e-6)


def test_masked_items_are_not_read(pooling: Any) -> None:
    other = np.where(MASK[..., None], ITEMS, 1e6).astype(np.float32)
    np.testing.assert_array_equal(numpy_of(pooling([QUERIES, other, MASK])), numpy_of(pooling([QUERIES, ITEMS, MASK])))


def test_padding_changes_nothing(pooling: Any) -> None:
    padded = np.pad(ITEMS, ((0, 0), (0, 3), (0, 0)))
    longer = np.pad(MASK, ((0, 0), (0, 3)))
    np.testing.assert_allclose(
        numpy_of(pooling([QUERIES, padded, longer])), numpy_of(pooling([QUERIES, ITEMS, MASK])), atol=1e-6
    )


def test_empty_history_is_the_null_vector(pooling: Any) -> None:
    np.testing.assert_array_equal(numpy_of(pooling([QUERIES, ITEMS, MASK]))[2], [np.arange(6.0)] * 2)
    assert numpy_of(pooling.weights_of(QUERIES, ITEMS, MASK))[2].sum() == 0


def test_null_vector_learns_and_gradients_are_finite() -> None:
    queries, items = keras.Input((2, 5)), keras.Input((4, 6))
    mask = keras.Input((4,), dtype="bool")
    layer = AttentivePooling(3)
    model = keras.Model([queries, items, mask], layer([queries, items, mask]))
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    model.train_on_batch([QUERIES, ITEMS, MASK], np.ones((3, 2, 6), np.float32))
    assert all(np.isfinite(weight).all() for weight in layer.get_weights())
    assert np.abs(numpy_of(layer.null)).max() > 0


def test_each_kind_of_query_has_its_own_weights() -> None:
    layer = MultiQueryAttentivePooling(hidden=3)
    users = RNG.normal(size=(3, 1, 8)).astype(np.float32)
    pooled = numpy_of(layer([QUERIES, users, ITEMS, MASK]))
    assert pooled.shape == (3, 2, 12)
    for channel, query, part in zip(layer.channels, (QUERIES, users), (slice(6), slice(6, 12)), strict=True):
        alone = numpy_of(channel([query, ITEMS, MASK]))
        np.testing.assert_allclose(pooled[..., part], np.broadcast_to(alone, (3, 2, 6)), atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (SumPooling(), [[9, 60], [0, 0]]),
        (MaxPooling(), [[7, 40], [0, 0]]),
        (ConcatPooling(3), [[7, 20, 0, 0, 2, 40], [0] * 6]),
    ],
    ids=["sum", "max", "concat"],
)
def test_pooling_without_a_query(layer: Any, expected: list[list[float]]) -> None:
    items = np.array([[[7, 20], [99, 99], [2, 40]]] * 2, np.float32)
    mask = np.array([[True, False, True], [False] * 3])
    np.testing.assert_array_equal(numpy_of(layer([items, mask])), expected)


@pytest.mark.parametrize(
    "layer",
    [AttentivePooling(4), MultiQueryAttentivePooling(4), SumPooling(), MaxPooling(), ConcatPooling(5)],
    ids=lambda layer: type(layer).__name__,
)
def test_layer_survives_serialization(layer: keras.layers.Layer) -> None:
    from_own_config(layer)
