"""The compressor without Keras, so that a server needs NumPy only: forward pass and vector-Jacobian product.

It equals `training.layers.Compressor`. All parameters are one vector, so an all-reduce and an optimizer need no names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...arrays import FloatsD, FloatsND, FloatsNK

_FIRST_SLOPE = 0.25


class Dense(NamedTuple):
    """A dense layer with its PReLU: weights `[D, K]`, bias `[K]`, slope `[K]`."""

    weights: FloatsND
    bias: FloatsD
    slope: FloatsD


class Step(NamedTuple):
    """What `backward` needs of one layer: its input `[N, D]` and its output before the PReLU `[N, K]`."""

    inputs: FloatsND
    linear: FloatsNK


@dataclass(frozen=True)
class Compression:
    """The functions of a compressor of given sizes.

    Args:
        sizes: Dimensions of the raw vectors, then units of each dense layer: (4096, 256, 64, 12) in the article.
    """

    sizes: tuple[int, ...]

    @property
    def parameters(self) -> int:
        """Number of parameters, slopes included."""
        return sum((dims + 2) * units for dims, units in self._pairs())

    def initial(self, seed: int) -> FloatsD:
        """Draw parameters: Glorot's uniform weights, no bias, slope 0.25."""
        rng = np.random.default_rng(seed)
        layers = []
        for dims, units in self._pairs():
            limit = np.sqrt(6 / (dims + units))
            layers += [rng.uniform(-limit, limit, dims * units), np.zeros(units), np.full(units, _FIRST_SLOPE)]
        theta: FloatsD = np.concatenate(layers).astype(np.float32)
        return theta

    def layers(self, theta: FloatsD) -> list[Dense]:
        """Return views of a parameter vector."""
        layers, start = [], 0
        for dims, units in self._pairs():
            weights, bias, slope, _ = np.split(theta[start:], np.cumsum([dims * units, units, units]))
            layers.append(Dense(weights.reshape(dims, units), bias, slope))
            start += (dims + 2) * units
        return layers

    def forward(self, theta: FloatsD, raw: FloatsND) -> tuple[FloatsNK, list[Step]]:
        """Compress raw vectors `[N, D]` to `[N, K]`; also returns what `backward` needs."""
        steps, vectors = [], raw
        for weights, bias, slope in self.layers(theta):
            linear = vectors @ weights + bias
            steps.append(Step(vectors, linear))
            vectors = np.maximum(linear, 0) + slope * np.minimum(linear, 0)
        return vectors, steps

    def backward(self, theta: FloatsD, steps: Sequence[Step], gradient: FloatsNK) -> FloatsD:
        """Return the gradient of the parameters, given that of the compressed vectors `[N, K]`."""
        parts = []
        for (weights, _, slope), (inputs, linear) in zip(reversed(self.layers(theta)), reversed(steps), strict=True):
            of_slope = (gradient * np.minimum(linear, 0)).sum(axis=0)
            gradient = gradient * np.where(linear > 0, np.float32(1), slope)
            parts.append(np.concatenate([(inputs.T @ gradient).ravel(), gradient.sum(axis=0), of_slope]))
            gradient = gradient @ weights.T
        return np.concatenate(parts[::-1])

    def _pairs(self) -> list[tuple[int, int]]:
        return list(zip(self.sizes, self.sizes[1:], strict=False))
