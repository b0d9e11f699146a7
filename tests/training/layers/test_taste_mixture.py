"""The mixture equals Bayes's rule by enumeration, adds evidence, ignores masked items, and survives saving."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import expit, logit, softmax

from training.layers import TasteMixture

RNG = np.random.default_rng(0)
USER: Any = RNG.normal(size=(3, 2)).astype(np.float32)
ITEMS: Any = RNG.normal(size=(3, 5, 4)).astype(np.float32)
MASK = np.arange(5) < np.array([[0], [1], [5]])
CANDIDATES: Any = RNG.normal(size=(3, 7, 4)).astype(np.float32)


@pytest.fixture
def layer() -> TasteMixture:
    keras.utils.set_random_seed(1)
    layer = TasteMixture(6)
    layer([USER, ITEMS, MASK, CANDIDATES])
    for dense in (layer.prior, layer.evidence, layer.appeal):
        dense.bias.assign(RNG.normal(size=6))
    layer.scale.assign(0.5)
    return layer


def applied(dense: Any, x: Any) -> Any:
    kernel, bias = dense.get_weights()
    return x @ kernel + bias


def test_log_odds_are_those_of_the_mixture(layer: TasteMixture) -> None:
    log_shares = applied(layer.prior, USER)
    for user, (items, mask) in enumerate(zip(ITEMS, MASK, strict=True)):
        for item in items[mask]:
            log_shares[user] += applied(layer.evidence, item)
    shares, likes = softmax(log_shares, axis=1), expit(applied(layer.appeal, CANDIDATES))
    expected = [[0.5 * logit(sum(share * like)) for like in each] for share, each in zip(shares, likes, strict=True)]
    found = keras.ops.convert_to_numpy(layer([USER, ITEMS, MASK, CANDIDATES]))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_repeated_likes_make_a_taste_surer(layer: TasteMixture) -> None:
    alike = np.repeat(ITEMS[:, :1], 5, axis=1)
    masks = [np.arange(5) < np.full((3, 1), count) for count in (0, 1, 5)]
    surest = [keras.ops.convert_to_numpy(layer.shares(USER, alike, mask)).max(axis=1) for mask in masks]
    assert (surest[2] > surest[1]).all()


def test_certain_tastes_have_finite_log_odds(layer: TasteMixture) -> None:
    found = keras.ops.convert_to_numpy(layer([1e4 * USER, 1e4 * ITEMS, MASK, 1e4 * CANDIDATES]))
    assert np.isfinite(found).all()


def test_saved_model_mixes_alike(layer: TasteMixture, tmp_path: Path) -> None:
    mask = keras.Input((5,), dtype="bool")
    inputs = [keras.Input((2,)), keras.Input((5, 4)), mask, keras.Input((7, 4))]
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    values = [USER, ITEMS, MASK, CANDIDATES]
    np.testing.assert_array_equal(restored.predict(values, verbose=0), model.predict(values, verbose=0))
    assert model.output_shape == (None, 7)
