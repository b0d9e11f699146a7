"""What an experiment reports to its callbacks."""

from dataclasses import dataclass, field
from typing import TypeAlias

from genderclient._exceptions import GenderClientError
from genderclient._models import Prediction, Ranking

# The results of the questions that an experiment can split.
Shadowed: TypeAlias = Prediction | Ranking


@dataclass(frozen=True, slots=True)
class Exposure:
    """A user got a result from an arm. `arm` is the model, None for a user in the holdout."""

    experiment: str
    user_id: str = field(repr=False)
    arm: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """The outcome of a shadow request, paired with what the caller got.

    `served` is the result of the user's own arm. `other` is the result of `model`, or `error` says why there is none.
    """

    exposure: Exposure
    served: Shadowed
    model: str
    other: Shadowed | None = None
    error: GenderClientError | None = None
