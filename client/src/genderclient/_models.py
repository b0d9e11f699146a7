"""What the caller gets back."""

from dataclasses import dataclass
from typing import Any, Literal

Gender = Literal["male", "female", "unknown"]


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Calibrated probability of each gender; they sum to 1."""

    male: float
    female: float


@dataclass(frozen=True, slots=True)
class Weights:
    """How much the model looked at each input; they sum to 1, or are both 0 when it was shown neither."""

    avatar: float
    nickname: float


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Prediction:
    """A guess about one user, with the doubt that belongs to it.

    `embedding` holds the 256 numbers of the fused feature, only when it was asked for; `arm` the user's arm in the
    client's experiment; `latency_s` the seconds from the first sending to the answer, and `attempts` how often it was
    sent; `request_id` is what Triton's log calls it.
    """

    probabilities: Probabilities
    weights: Weights
    model: str
    version: str
    unknown_below: float
    embedding: tuple[float, ...] | None = None
    arm: str | None = None
    latency_s: float = 0.0
    attempts: int = 1
    request_id: str = ""

    @property
    def probability(self) -> float:
        """Probability of the more likely gender, 0.5 to 1."""
        return max(self.probabilities.male, self.probabilities.female)

    @property
    def gender(self) -> Gender:
        """The more likely gender; `unknown` when nothing was shown or `probability < unknown_below`."""
        nothing_shown = self.weights.avatar == 0 and self.weights.nickname == 0
        if nothing_shown or self.probability < self.unknown_below:
            return "unknown"
        return "male" if self.probabilities.male >= self.probabilities.female else "female"

    def to_dict(self) -> dict[str, Any]:
        """The prediction as plain values, ready for JSON; `embedding` is there only when it was asked for."""
        plain: dict[str, Any] = {
            "gender": self.gender,
            "probability": self.probability,
            "probabilities": {"male": self.probabilities.male, "female": self.probabilities.female},
            "weights": {"avatar": self.weights.avatar, "nickname": self.weights.nickname},
            "model": self.model,
            "version": self.version,
            "unknown_below": self.unknown_below,
            "arm": self.arm,
            "latency_s": self.latency_s,
            "attempts": self.attempts,
            "request_id": self.request_id,
        }
        return plain if self.embedding is None else plain | {"embedding": list(self.embedding)}

    def __repr__(self) -> str:
        return (
            f"Prediction({self.gender} {self.probability:.3f}, "
            f"weights avatar {self.weights.avatar:.2f} nickname {self.weights.nickname:.2f}, "
            f"{self.model} version {self.version})"
        )
