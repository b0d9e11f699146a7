"""The symmetric loss equals its formula, the towers return unit vectors, and training pairs pictures with titles."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import log_softmax
from sklearn.preprocessing import normalize

from training.arrays import FloatsND, TokensNT
from training.pretrain.collapse import embed
from training.pretrain.dual_encoder import (
    TITLE_TOKENS,
    DualEncoder,
    build_picture_tower,
    build_title_tower,
    start_projection,
    symmetric_info_nce,
)
from training.pretrain.moco import mean_loss

RNG = np.random.default_rng(0)


def units(rows: int) -> FloatsND:
    vectors: FloatsND = normalize(RNG.normal(size=(rows, 6)))
    return vectors


def titles(rows: int) -> TokensNT:
    tokens = np.zeros((rows, TITLE_TOKENS), np.int32)
    tokens[:, :4] = RNG.integers(2, 50, (rows, 4))
    return tokens


def small_picture_tower() -> keras.Model:
    pictures = keras.Input((8, 8, 3))
    features = keras.layers.Dense(64, activation="relu")(keras.layers.Flatten()(pictures))
    return build_picture_tower(keras.Model(pictures, features), dims=8)


def test_loss_equals_the_formula() -> None:
    pictures, words = units(9), units(9)
    logits = 14 * pictures @ words.T
    expected = -(np.diag(log_softmax(logits, axis=0)) + np.diag(log_softmax(logits, axis=1))) / 2
    np.testing.assert_allclose(symmetric_info_nce(pictures, words, 14.0), expected, rtol=1e-5)


def test_loss_equals_a_literal_number() -> None:
    """Two orthogonal pairs at scale 1: −ln(e / (e + 1))."""
    np.testing.assert_allclose(symmetric_info_nce(np.eye(2), np.eye(2), 1.0), [0.313262, 0.313262], atol=1e-5)


def test_title_tower_returns_unit_vectors_that_ignore_padding() -> None:
    tower = build_title_tower(size=16, layers=1, heads=2, dims=8)
    tokens = titles(3)
    vectors = ops.convert_to_numpy(tower(tokens))
    assert vectors.shape == (3, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    table = tower.get_layer("positions").positions
    table.assign(ops.concatenate([table[:4], table[4:] + 5], axis=0))
    np.testing.assert_allclose(ops.convert_to_numpy(tower(tokens)), vectors, atol=1e-5)


def test_training_pairs_pictures_with_titles() -> None:
    keras.utils.set_random_seed(0)
    model = DualEncoder(small_picture_tower(), build_title_tower(size=16, layers=1, heads=2, dims=8))
    model.compile(keras.optimizers.Adam(0.01), loss=mean_loss)
    pictures, words = RNG.uniform(0, 1, (16, 8, 8, 3)).astype(np.float32), titles(16)
    history = model.fit([pictures, words], np.zeros(16), batch_size=16, epochs=80, verbose=0).history["loss"]
    assert history[0] > 2
    assert history[-1] < 0.5
    similarity = ops.convert_to_numpy(model.pictures(pictures)) @ ops.convert_to_numpy(model.titles(words)).T
    assert (similarity.argmax(axis=1) == np.arange(16)).mean() > 0.9


def test_scale_is_bounded() -> None:
    model = DualEncoder(small_picture_tower(), build_title_tower(size=16, layers=1, heads=2, dims=8))
    pictures, words = RNG.uniform(0, 1, (4, 8, 8, 3)).astype(np.float32), titles(4)
    model.log_scale.assign(np.log(100.0))
    at_bound = ops.convert_to_numpy(model([pictures, words]))
    model.log_scale.assign(50.0)
    np.testing.assert_allclose(ops.convert_to_numpy(model([pictures, words])), at_bound, rtol=1e-4)


def test_loss_of_views_tells_pictures_of_one_title_apart() -> None:
    """All pictures have one title, so only the second loss separates them."""
    keras.utils.set_random_seed(0)
    pictures = RNG.uniform(0, 1, (16, 8, 8, 3)).astype(np.float32)
    words = np.repeat(titles(1), 16, axis=0)
    others = np.clip(pictures + RNG.normal(0, 0.05, pictures.shape), 0, 1).astype(np.float32)
    model = DualEncoder(
        small_picture_tower(), build_title_tower(size=16, layers=1, heads=2, dims=8), instance_weight=1.0, queue=16
    )
    model.compile(keras.optimizers.Adam(0.01), loss=mean_loss)
    model.fit([pictures, others, words], np.zeros(16), batch_size=16, epochs=60, verbose=0)
    views = [ops.convert_to_numpy(model.pictures(each)) for each in (pictures, others)]
    assert ((views[0] @ views[1].T).argmax(axis=1) == np.arange(16)).mean() > 0.9
    # The queue holds the keys of the last step.
    assert model.queue is not None
    assert (ops.convert_to_numpy(model.queue.keys) * views[1]).sum(axis=1).mean() > 0.9


@pytest.mark.parametrize("gate", ["article", "topk_softmax"])
def test_both_gates_build(gate: str) -> None:
    assert build_title_tower(size=16, layers=1, heads=2, dims=8, gate=gate).output_shape == (None, 8)


def test_projection_starts_at_the_principal_components() -> None:
    """Whitened vectors of train pictures have mean 0 and covariance I."""
    tower = small_picture_tower()
    pixels = np.random.default_rng(1).integers(0, 255, (200, 8, 8, 3), np.uint8)
    encoder = keras.Model(tower.input, tower.get_layer("unit_vector").input)
    start_projection(tower, embed(encoder, pixels))
    projected = tower.get_layer("unit_vector").get_layer("projection")(embed(encoder, pixels))
    np.testing.assert_allclose(np.mean(projected, axis=0), 0, atol=1e-2)
    np.testing.assert_allclose(np.cov(projected, rowvar=False), np.eye(8), atol=1e-2)
