"""Results."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Gender = Literal["male", "female", "unknown"]


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Calibrated probabilities of both genders. They sum to 1."""

    male: float
    female: float


@dataclass(frozen=True, slots=True)
class Weights:
    """Fusion weights of the inputs. They sum to 1, or are both 0 if both inputs were missing."""

    avatar: float
    nickname: float


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Prediction:
    """The prediction for one user.

    Attributes:
        gender: The more likely gender; `unknown` if both inputs were missing or `probability < unknown_below`.
        probability: The probability of the more likely gender, 0.5 to 1.
        probabilities: Calibrated probabilities of both genders.
        weights: How much each input contributed.
        unknown_below: A lower probability makes the gender `unknown`.
        embedding: The fused feature of 256 numbers, if it was requested.
        arm: The user's arm in the client's experiment.
        latency_s: Seconds from the first request to the response.
        attempts: How often the request was sent.
        request_id: The id in Triton's log.
        avatar_error: Why the avatar was ignored, if the client has `ignore_invalid_avatar`.
    """

    # Fields, so that `dataclasses.asdict`, pydantic and FastAPI include them.
    gender: Gender = field(init=False, default="unknown")
    probability: float = field(init=False, default=0.5)
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
    avatar_error: str | None = None

    def __post_init__(self) -> None:
        male, female = self.probabilities.male, self.probabilities.female
        object.__setattr__(self, "probability", max(male, female))
        no_input = self.weights.avatar == 0 and self.weights.nickname == 0
        if not no_input and self.probability >= self.unknown_below:
            object.__setattr__(self, "gender", "male" if male >= female else "female")

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON. `embedding` is included only if it was requested."""
        plain = asdict(self)
        embedding = plain.pop("embedding")
        return plain if embedding is None else plain | {"embedding": list(embedding)}

    def __repr__(self) -> str:
        return (
            f"Prediction({self.gender} {self.probability:.3f}, "
            f"weights avatar {self.weights.avatar:.2f} nickname {self.weights.nickname:.2f}, "
            f"{self.model} version {self.version})"
        )
