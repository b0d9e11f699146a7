"""Assignment of users to the arms of an A/B experiment."""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, get_args

from genderclient._config.checks import check_number, check_type
from genderclient._flow import Call, Extension, Flow
from genderclient._questions.question import R
from genderclient.experiments.reports import Exposure, Shadow

if TYPE_CHECKING:
    from genderclient.experiments.shadow_requests import ShadowRequests

_HASH_BITS: Final = 64
SplitQuestion = Literal["predict", "rank"]


@dataclass(frozen=True, slots=True)
class Experiment:
    """Splits users over models by their ids, the same in every process, permanently.

    The split uses weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005).
    If a weight grows, users move only into that arm; if it shrinks, only out of it.

    Args:
        name: Part of the hash; another name gives an independent split.
        arms: Models with their weights.
        question: Which calls are part of the experiment: those of `predict`, or those of `rank`.
        salt: Part of the hash; another salt gives an independent split under the same name.
        holdout: Share of users in no arm. They get the client's own model.
        overrides: Arms of single users.
        on_exposure: Called with each user who got a result.
        on_shadow: Called with the outcome of each shadow request. If it is set, every other arm gets a copy of each
            request after the caller has the result. Excess copies, and those still unanswered when the client is
            closed, are dropped.
    """

    name: str
    arms: Mapping[str, float]
    _: KW_ONLY
    question: SplitQuestion = "predict"
    salt: str = ""
    holdout: float = 0.0
    overrides: Mapping[str, str] = field(default_factory=dict)
    on_exposure: Callable[[Exposure], None] | None = None
    on_shadow: Callable[[Shadow], None] | None = None

    def __post_init__(self) -> None:
        check_type("name", self.name, str, "the experiment's name")
        check_type("arms", self.arms, Mapping, "a mapping of models to weights")
        for model, weight in self.arms.items():
            check_type("arms", model, str, "models with weights of 0 or more")
            check_number("arms", weight, "models with weights of 0 or more")
        if self.question not in get_args(SplitQuestion):
            raise ValueError("question: expected 'predict' or 'rank'")
        check_type("salt", self.salt, str, "text")
        check_type("overrides", self.overrides, Mapping, "a mapping of user ids to models")
        for each in (*self.overrides, *self.overrides.values()):
            check_type("overrides", each, str, "user ids and models as text")
        for name in ("on_exposure", "on_shadow"):
            if (callback := getattr(self, name)) is not None and not callable(callback):
                raise TypeError(f"{name}: got {type(callback).__name__}, expected a function or None")
        check_number("holdout", self.holdout, "a share from 0 to under 1")
        if not self.name:
            raise ValueError("name: got an empty one; the split depends on it")
        if not self.arms or not all(math.isfinite(weight) and weight >= 0 for weight in self.arms.values()):
            raise ValueError(f"arms: got {dict(self.arms)}, expected models with weights of 0 or more")
        if not any(self.arms.values()):
            raise ValueError("arms: all weights are 0; expected one over 0")
        if not 0 <= self.holdout < 1:
            raise ValueError(f"holdout: got {self.holdout}, expected a share from 0 to under 1")
        if unknown := set(self.overrides.values()) - set(self.arms):
            raise ValueError(f"overrides: {', '.join(sorted(unknown))} is no arm; expected {', '.join(self.arms)}")

    def arm_of(self, user_id: str) -> str | None:
        """Returns the model for a user, None for a user in the holdout."""
        check_type("user_id", user_id, str, "str")
        if not user_id:
            raise ValueError("user_id: got an empty one; all users without an id would share an arm")
        if user_id in self.overrides:
            return self.overrides[user_id]
        if self._uniform("holdout", user_id) < self.holdout:
            return None
        return max((arm for arm in self.arms if self.arms[arm]), key=lambda arm: self._score(arm, user_id))

    def extension(self) -> Extension:
        """Creates the extension for one client."""
        return Assignment(self)

    def _score(self, arm: str, user_id: str) -> float:
        return self.arms[arm] / -math.log(self._uniform(f"arm:{arm}", user_id))

    def _uniform(self, purpose: str, user_id: str) -> float:
        """Hashes to a number between 0 and 1, both excluded."""
        parts = (self.salt, self.name, purpose, user_id)
        # The lengths keep "a" + "bc" apart from "ab" + "c".
        text = "".join(f"{len(part)}:{part}" for part in parts)
        number = int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[: _HASH_BITS // 8], "big")
        return (number + 0.5) / 2.0**_HASH_BITS


class Assignment(Extension):
    """Chooses the model by user. A call with another question, or that names a model, is not part of the experiment."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._shadow_requests = _shadow_requests(experiment)

    def handle(self, call: Call[R], proceed: Callable[[Call[R]], Flow[R]]) -> Flow[R]:
        if call.question.name != self._experiment.question or call.model is not None:
            return (yield from proceed(call))
        if call.user_id is None:
            raise ValueError("user_id: expected one, because this client has an experiment; pass it, or a model")
        arm = self._experiment.arm_of(call.user_id)
        exposure = Exposure(self._experiment.name, call.user_id, arm)
        if self._shadow_requests and arm:
            call = self._shadow_requests.prepare(call)
        result = replace((yield from proceed(replace(call, model=arm))), arm=arm)
        if self._experiment.on_exposure:
            self._experiment.on_exposure(exposure)
        if self._shadow_requests and arm:
            yield from self._shadow_requests.start(call, exposure, result, proceed)
        return result

    def close(self) -> None:
        if self._shadow_requests:
            self._shadow_requests.close()

    async def aclose(self) -> None:
        if self._shadow_requests:
            await self._shadow_requests.aclose()


def _shadow_requests(experiment: Experiment) -> "ShadowRequests | None":
    if experiment.on_shadow is None:
        return None
    from genderclient.experiments.shadow_requests import ShadowRequests

    return ShadowRequests(experiment.arms, experiment.on_shadow)
