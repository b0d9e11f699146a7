"""Exactly k experts work for each token, the gates equal their formulas, and an even load costs least."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import softmax

from tests.support.training.keras_objects import from_own_config
from training.pretrain.mixture import GATES, MixtureOfExperts, gate_weights, load_balance

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(3, 7, 5)).astype(np.float32)
X = RNG.normal(size=(3, 7, 6)).astype(np.float32)
VALID = np.ones((3, 7), bool)


def layer(**options: Any) -> MixtureOfExperts:
    keras.utils.set_random_seed(1)
    mixture = MixtureOfExperts(experts=4, hidden=8, **options)
    mixture.build([X.shape, VALID.shape])
    return mixture


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("k", [1, 2, 5])
def test_exactly_k_experts_have_weight(gate: str, k: int) -> None:
    weights = ops.convert_to_numpy(gate_weights(LOGITS, k, gate))
    assert ((weights > 0).sum(axis=-1) == k).all()
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6)
    best = np.argsort(-LOGITS, axis=-1)[..., :k]
    assert (np.take_along_axis(weights, best, axis=-1) > 0).all()


def test_gates_equal_literal_numbers() -> None:
    logits = np.log(np.array([[[4.0, 3.0, 2.0, 1.0]]]))
    np.testing.assert_allclose(gate_weights(logits, 2, "topk_softmax"), [[[4 / 7, 3 / 7, 0, 0]]], rtol=1e-6)
    # softmax(0.4, 0.3)
    np.testing.assert_allclose(gate_weights(logits, 2, "article"), [[[0.524979, 0.475021, 0, 0]]], rtol=1e-5)


def test_article_gate_is_bounded() -> None:
    weights = ops.convert_to_numpy(gate_weights(100 * LOGITS, 2, "article"))
    assert weights[weights > 0].min() >= 0.268941
    assert weights.max() <= 0.731059


def test_output_equals_a_slow_version() -> None:
    mixture = layer(k=2)
    router, widen, narrow = (ops.convert_to_numpy(weight) for weight in mixture.weights)
    expected = np.zeros_like(X)
    for place in np.ndindex(3, 7):
        logits = X[place] @ router
        for expert, weight in zip(np.argsort(-logits)[:2], softmax(np.sort(logits)[::-1][:2]), strict=True):
            expected[place] += weight * (np.maximum(X[place] @ widen[expert], 0) @ narrow[expert])
    np.testing.assert_allclose(mixture([X, VALID]), expected, rtol=1e-4, atol=1e-6)
    # With room for all tokens, training computes the same.
    mixture.capacity = 4.0
    np.testing.assert_allclose(mixture([X, VALID], training=True), expected, rtol=1e-4, atol=1e-6)


def test_capacity_drops_the_smallest_weights() -> None:
    mixture = layer(k=1, capacity=0.5)
    # All tokens prefer the first expert, which has one place for each row.
    router = np.zeros((6, 4), np.float32)
    router[0, 0] = 1
    mixture.router.assign(router)
    x = np.abs(X)
    answered = np.abs(ops.convert_to_numpy(mixture([x, VALID], training=True))).sum(axis=-1) > 0
    assert answered.sum(axis=1).tolist() == [1, 1, 1]


def test_padding_takes_no_place_and_gets_nothing() -> None:
    valid = VALID.copy()
    valid[:, 2:] = False
    for training in (True, False):
        y = ops.convert_to_numpy(layer(k=1)([X, valid], training=training))
        assert (y[:, 2:] == 0).all()
        assert (np.abs(y[:, :2]).sum(axis=-1) > 0).all()


def test_even_load_costs_least() -> None:
    even = np.tile(20 * np.eye(4, dtype=np.float32), (2, 2, 1))
    one = np.tile(np.array([20.0, 0, 0, 0], np.float32), (2, 8, 1))
    assert float(load_balance(even, gate_weights(even, 1, "topk_softmax"))) == pytest.approx(1, rel=1e-5)
    assert float(load_balance(one, gate_weights(one, 1, "topk_softmax"))) == pytest.approx(4, rel=1e-5)


def test_balance_joins_the_loss_in_training_only() -> None:
    mixture = layer(balance=0.5)
    mixture([X, VALID])
    assert mixture.losses == []
    mixture([X, VALID], training=True)
    assert 0.4 < float(mixture.losses[0]) < 2


def test_layer_survives_serialization() -> None:
    assert from_own_config(MixtureOfExperts(experts=3, k=1, gate="article")).experts == 3


@pytest.mark.parametrize(
    ("k", "gate", "message"),
    [(0, "article", "k between 1 and 5, got 0"), (6, "article", "got 6"), (2, "x", "gate of article, topk_softmax")],
)
def test_rejects_impossible_gates(k: int, gate: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gate_weights(LOGITS, k, gate)
