"""Whitened embeddings have covariance I; fewer dimensions keep the largest variances."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

from training.pretrain.whitening import Whitening

RNG = np.random.default_rng(0)
# Correlated, of unequal variance, and not centered.
X = RNG.normal(size=(500, 12)) @ RNG.normal(size=(12, 12)) + RNG.normal(size=12)


def test_covariance_is_the_identity() -> None:
    y = Whitening.fit(X).transform(X)
    np.testing.assert_allclose(np.cov(y, rowvar=False), np.eye(12), atol=1e-4)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-9)


def test_fewer_dimensions_are_the_first_of_all() -> None:
    np.testing.assert_allclose(Whitening.fit(X, 5).transform(X), Whitening.fit(X).transform(X)[:, :5])


def test_agrees_with_pca_up_to_signs() -> None:
    expected = PCA(4, whiten=True, svd_solver="full").fit_transform(X)
    np.testing.assert_allclose(np.abs(Whitening.fit(X, 4).transform(X)), np.abs(expected), atol=1e-4)


def test_constant_dimension_stays_finite() -> None:
    x = np.concatenate([X, np.ones((500, 1))], axis=1)
    assert np.abs(Whitening.fit(x).transform(x)).max() < 10


def test_normalized_embeddings_rank_by_cosine() -> None:
    rows = normalize(Whitening.fit(X).transform(X))
    np.testing.assert_array_equal(np.argsort(cdist(rows, rows[:1]), axis=0), np.argsort(-rows @ rows[:1].T, axis=0))
    np.testing.assert_array_equal(normalize(np.zeros((1, 3))), np.zeros((1, 3)))


@pytest.mark.parametrize("dims", [0, 13])
def test_rejects_impossible_dimensions(dims: int) -> None:
    with pytest.raises(ValueError, match=f"expected dims between 1 and 12, got {dims}"):
        Whitening.fit(X, dims)


def test_rejects_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"expected at least two embeddings \[N, D\], got shape \(1, 12\)"):
        Whitening.fit(X[:1])
    with pytest.raises(ValueError, match=r"expected embeddings \[N, 12\], got shape \(500, 3\)"):
        Whitening.fit(X).transform(X[:, :3])
