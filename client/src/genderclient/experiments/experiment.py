"""Which arm of an A/B experiment a user falls in."""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

from genderclient._exceptions import GenderClientError
from genderclient._models import Prediction

_HASH_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class Exposure:
    """A user was answered by an arm; `arm` is the model, None for who is held out."""

    experiment: str
    user_id: str = field(repr=False)
    arm: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """What another arm says to a request that the user's own arm answered: a pair, as paired statistics need it.

    `served` is what the caller got; `other` the answer of `model`, or `error` why there is none.
    """

    exposure: Exposure
    served: Prediction
    model: str
    other: Prediction | None = None
    error: GenderClientError | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """Splits users over models by their ids, the same in every process and for ever.

    `arms` are models with their weights; a user's arm depends on `name`, `salt` and his id alone. When a weight grows,
    users move into that arm only, and when it shrinks, out of it only: weighted rendezvous hashing (Schindelhauer and
    Schomaker, "Weighted Distributed Hash Tables", 2005). A share `holdout` of all users is in no arm and gets the
    client's own model. `overrides` names the arm of single users. `on_exposure` is told who was answered by which arm.
    With `on_shadow` every other arm is asked as well, once, after the caller has his answer: servers then work for all
    arms. What a client cannot keep up with is dropped, and what is unanswered when it is closed.

    Raises ValueError for weights, shares or arms that cannot be.
    """

    name: str
    arms: Mapping[str, float]
    _: KW_ONLY
    salt: str = ""
    holdout: float = 0.0
    overrides: Mapping[str, str] = field(default_factory=dict)
    on_exposure: Callable[[Exposure], None] | None = None
    on_shadow: Callable[[Shadow], None] | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name: an experiment needs one, its split depends on it")
        if not self.arms or not all(math.isfinite(weight) and weight >= 0 for weight in self.arms.values()):
            raise ValueError(f"arms: got {dict(self.arms)}, expected models with weights of 0 or more")
        if not any(self.arms.values()):
            raise ValueError("arms: all weights are 0; nobody could be in any")
        if not 0 <= self.holdout < 1:
            raise ValueError(f"holdout: got {self.holdout}, expected a share from 0 to under 1")
        if unknown := set(self.overrides.values()) - set(self.arms):
            raise ValueError(f"overrides: {', '.join(sorted(unknown))} is no arm; expected {', '.join(self.arms)}")

    def arm_of(self, user_id: str) -> str | None:
        """The model that answers this user, None where he is held out. Raises ValueError for an empty id."""
        if not user_id:
            raise ValueError("user_id: got an empty one; all without an id would fall in one arm")
        if user_id in self.overrides:
            return self.overrides[user_id]
        if self._share("holdout", user_id) < self.holdout:
            return None
        return max((arm for arm in self.arms if self.arms[arm]), key=lambda arm: self._score(arm, user_id))

    def _score(self, arm: str, user_id: str) -> float:
        return self.arms[arm] / -math.log(self._share(f"arm:{arm}", user_id))

    def _share(self, what: str, user_id: str) -> float:
        """A number between 0 and 1, both excluded, drawn by hashing."""
        parts = (self.salt, self.name, what, user_id)
        # Each part with its length: "a" + "bc" must not be "ab" + "c".
        text = "".join(f"{len(part)}:{part}" for part in parts)
        number = int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[: _HASH_BITS // 8], "big")
        return (number + 0.5) / 2.0**_HASH_BITS
