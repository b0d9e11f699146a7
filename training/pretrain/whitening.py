"""Whitening of embeddings (Su et al., 2021, https://arxiv.org/abs/2103.15316)."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from ..arrays import FloatsD, FloatsDK, FloatsND, FloatsNK

# Added to each variance, so that a constant direction does not divide by zero.
_RIDGE = 1e-6


@dataclass(frozen=True)
class Whitening:
    """A linear map to mean 0 and covariance I: y = (x − μ)UΛ^(−1/2), where the covariance of x is UΛUᵀ.

    scikit-learn's `PCA(whiten=True)` has no ridge. Fit it on the gallery only: a query must not change the space that
    it is searched in.

    Args:
        mean: μ `[D]`.
        matrix: The first K columns of UΛ^(−1/2), those of the largest variance first, `[D, K]`.
    """

    mean: FloatsD
    matrix: FloatsDK

    @classmethod
    def fit(cls, x: FloatsND, dims: int | None = None) -> Self:
        """Fit on embeddings `[N, D]` and keep `dims` dimensions, by default all.

        Raises:
            ValueError: Fewer than two embeddings, or `dims` not in 1..D.
        """
        x = np.asarray(x, np.float64)
        if x.ndim != 2 or len(x) < 2:
            raise ValueError(f"expected at least two embeddings [N, D], got shape {x.shape}")
        kept = x.shape[1] if dims is None else dims
        if not 1 <= kept <= x.shape[1]:
            raise ValueError(f"expected dims between 1 and {x.shape[1]}, got {dims}")
        variances, directions = np.linalg.eigh(np.cov(x, rowvar=False).reshape(x.shape[1], x.shape[1]))
        largest = np.argsort(variances)[::-1][:kept]
        return cls(x.mean(axis=0), directions[:, largest] / np.sqrt(np.maximum(variances[largest], 0) + _RIDGE))

    def transform(self, x: FloatsND) -> FloatsNK:
        """Whiten embeddings `[N, D]`.

        Raises:
            ValueError: The embeddings have another size.
        """
        if x.ndim != 2 or x.shape[1] != len(self.mean):
            raise ValueError(f"expected embeddings [N, {len(self.mean)}], got shape {x.shape}")
        whitened: FloatsNK = (x - self.mean) @ self.matrix
        return whitened
