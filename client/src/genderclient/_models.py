"""Results."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypedDict

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


class Metadata(TypedDict):
    """The fields of `ModelResult` that the client sets."""

    model: str
    version: str
    latency_s: float
    attempts: int
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """What every result says about its inference.

    Attributes:
        model: The model that computed the result.
        version: The version of that model.
        arm: The user's arm in the client's experiment.
        latency_s: Seconds from the first request to the response.
        attempts: How often the request was sent.
        request_id: The id in Triton's log.
    """

    model: str
    version: str
    arm: str | None = None
    latency_s: float = 0.0
    attempts: int = 1
    request_id: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON."""
        plain = asdict(self)
        inference = {each.name: plain.pop(each.name) for each in fields(ModelResult)}
        return plain | inference


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Prediction(ModelResult):
    """The prediction for one user.

    Attributes:
        gender: The more likely gender; `unknown` if both inputs were missing or `probability < unknown_below`.
        probability: The probability of the more likely gender, 0.5 to 1.
        probabilities: Calibrated probabilities of both genders.
        weights: How much each input contributed.
        unknown_below: A lower probability makes the gender `unknown`.
        embedding: The fused feature of 256 numbers, if it was requested.
        avatar_error: Why the avatar was ignored, if the client has `ignore_invalid_avatar`.
    """

    # Fields, so that `dataclasses.asdict`, pydantic and FastAPI include them.
    gender: Gender = field(init=False, default="unknown")
    probability: float = field(init=False, default=0.5)
    probabilities: Probabilities
    weights: Weights
    unknown_below: float
    embedding: tuple[float, ...] | None = None
    avatar_error: str | None = None

    def __post_init__(self) -> None:
        male, female = self.probabilities.male, self.probabilities.female
        object.__setattr__(self, "probability", max(male, female))
        no_input = self.weights.avatar == 0 and self.weights.nickname == 0
        if not no_input and self.probability >= self.unknown_below:
            object.__setattr__(self, "gender", "male" if male >= female else "female")

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON. `embedding` is included only if it was requested."""
        plain = ModelResult.to_dict(self)
        embedding = plain.pop("embedding")
        return plain if embedding is None else plain | {"embedding": list(embedding)}

    def __repr__(self) -> str:
        return (
            f"Prediction({self.gender} {self.probability:.3f}, "
            f"weights avatar {self.weights.avatar:.2f} nickname {self.weights.nickname:.2f}, "
            f"{self.model} version {self.version})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding(ModelResult):
    """What a picture shows and what its title says, in one space of 32 numbers.

    Both vectors have length 1, so their inner product is their cosine.

    Attributes:
        vector: The picture's vector; None if there was no picture, or a plain gray or white one.
        title_vector: The title's vector; None if there was no title.
    """

    vector: tuple[float, ...] | None = field(repr=False)
    title_vector: tuple[float, ...] | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbors(ModelResult):
    """The pictures of the gallery that are most similar to a picture.

    Attributes:
        pictures: Their ids, most similar first.
        scores: The cosine of each with the picture, -1 to 1.
    """

    pictures: tuple[int, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening(ModelResult):
    """What a picture has, and whether it may be shown to users.

    Two networks look at the picture, and it is `unsuitable` only if both find so. The first one alone finds all other
    attributes.

    Attributes:
        suitable: Whether the picture may be shown: there is one, and nothing was found that refuses it.
        reasons: The attributes that refuse it. Empty also for a plain gray or white picture, which counts as missing.
        attributes: The probability of every attribute, by the first network. Some, such as `illustration`, only
            describe a picture.
        scores: The probability of `unsuitable`, by the first and by the second network. The second one learned from
            the pictures that are hard for the first, so its probabilities are not calibrated.
    """

    suitable: bool
    reasons: tuple[str, ...]
    attributes: dict[str, float]
    scores: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking(ModelResult):
    """The pictures that a user will like most.

    Attributes:
        pictures: Their ids, best first.
        scores: The calibrated probability that the user likes each.
        propensities: The probability of each picture at its place, given those above it; 1 without a `seed`.
        prediction: The prediction of the same request, if the user was read from avatar and nickname.
    """

    pictures: tuple[int, ...]
    scores: tuple[float, ...]
    propensities: tuple[float, ...]
    prediction: Prediction | None = None
