"""What is stored of a user, so that a later ranking needs neither avatar nor nickname."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from genderclient._config.checks import check_type
from genderclient._models import Prediction, Probabilities

EMBEDDING_SIZE: Final = 256
# The largest FP32 number: a larger one would be sent as infinity.
_MAX: Final = 3.4028234663852886e38


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFeatures:
    """The part of a prediction that `rank` needs: store it, and pass it as `features`.

    Args:
        embedding: The 256 numbers of `predict(…, embedding=True)`; a list or an array will do.
        probabilities: The probabilities of the same prediction.
    """

    embedding: Sequence[float] = field(repr=False)
    probabilities: Probabilities = field(repr=False)

    def __post_init__(self) -> None:
        check_type("probabilities", self.probabilities, Probabilities, "Probabilities")
        pair = _checked_numbers("probabilities", (self.probabilities.male, self.probabilities.female), 2)
        if not 0 <= min(pair) <= max(pair) <= 1 or not math.isclose(sum(pair), 1, abs_tol=1e-3):
            raise ValueError("probabilities: expected two numbers from 0 to 1 whose sum is 1")
        object.__setattr__(self, "embedding", _checked_numbers("embedding", self.embedding, EMBEDDING_SIZE))

    @classmethod
    def of(cls, features: "Prediction | UserFeatures") -> "UserFeatures":
        """The features of a prediction that has its embedding."""
        if isinstance(features, UserFeatures):
            return features
        check_type("features", features, Prediction, "a Prediction, UserFeatures or None")
        if features.embedding is None:
            raise ValueError("features: the prediction has no embedding; predict with embedding=True")
        return cls(embedding=features.embedding, probabilities=features.probabilities)


def _checked_numbers(name: str, values: Any, size: int) -> tuple[float, ...]:
    """Returns `size` numbers that are finite as FP32. The errors do not repeat them."""
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name}: expected {size} numbers") from None
    if len(numbers) != size or not all(abs(number) <= _MAX for number in numbers):
        raise ValueError(f"{name}: got {len(numbers)} numbers, expected {size} finite FP32 numbers")
    return numbers
