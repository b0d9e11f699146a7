"""Adam (Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980) on one parameter vector, as Keras computes it."""

from dataclasses import dataclass

import numpy as np

from ...arrays import FloatsD


@dataclass
class Adam:
    """A parameter vector, its moments, and the number of steps taken.

    Args:
        theta: The parameters `[D]`. They are updated in place.
        first: Mean of the gradients `[D]`.
        second: Mean of the squared gradients `[D]`.
        steps: Steps taken.
        rate: Learning rate; the article's by default.
    """

    theta: FloatsD
    first: FloatsD
    second: FloatsD
    steps: int = 0
    rate: float = 1e-3

    @classmethod
    def start(cls, theta: FloatsD, rate: float = 1e-3) -> "Adam":
        """Start at step 0."""
        return cls(theta.copy(), np.zeros_like(theta), np.zeros_like(theta), rate=rate)

    def apply(self, gradient: FloatsD) -> None:
        """Take one step."""
        self.steps += 1
        self.first += 0.1 * (gradient - self.first)
        self.second += 0.001 * (gradient**2 - self.second)
        rate = self.rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        self.theta -= np.float32(rate) * self.first / (np.sqrt(self.second) + np.float32(1e-7))
