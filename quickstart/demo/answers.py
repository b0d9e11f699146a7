"""The answers of all backbones about one user, with what the page shows beside them."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from tritonclient.grpc.aio import InferenceServerClient

from genderclient import AsyncClient, Experiment, Prediction
from server.catalog import GENDER, Catalog, Ensemble

from .explanations import Explanation, explain
from .nicknames import explain_nickname
from .requests import BadRequest, Question
from .steps import timed

EXPLAIN: Final = "explain"
EXPERIMENT: Final = "demo"


class Answers:
    """Asks the models of a catalog, one user at a time, so that the measured steps are those of this user."""

    def __init__(self, catalog: Catalog, client: AsyncClient, triton: InferenceServerClient) -> None:
        self._gender = {each.name: each for each in catalog.stable_ensembles(GENDER)}
        self._explain = {each.backbone: each for each in catalog.ensembles(EXPLAIN)}
        self._client, self._triton = client, triton
        self._experiment = Experiment(EXPERIMENT, dict.fromkeys(self._gender, 1.0))
        self._lock = asyncio.Lock()

    @property
    def arms(self) -> list[str]:
        """The models that the experiment compares."""
        return list(self._gender)

    def arm_of(self, question: Question) -> str:
        """The arm that the user asked for, or the one that the SDK's experiment assigns to their id.

        Raises:
            BadRequest: There is no such arm.
        """
        arm = question.arm or self._experiment.arm_of(question.user_id)
        if arm not in self._gender:
            raise BadRequest("request", f"arm: expected one of {', '.join(self._gender)}, or an empty one")
        return arm

    async def answer(self, question: Question) -> dict[str, Any]:
        """Predict with every backbone, and explain the avatar where the explanation is of the version that answered.

        Raises:
            BadRequest: There is no such arm.
            GenderClientError: The input is rejected, or a server does not answer.
            InferenceServerException: The server of the explanations does not answer.
        """
        arm = self.arm_of(question)
        async with self._lock:
            answers = [await self._ask(each, question) for each in self._gender.values()]
        explanations = [explanation for _, explanation in answers if explanation]
        seen = _seen(explanations[0], question.nickname) if explanations else None
        return {"arm": arm, "answers": [answer for answer, _ in answers], "seen": seen}

    async def _ask(self, ensemble: Ensemble, question: Question) -> tuple[dict[str, Any], Explanation | None]:
        prediction, steps = await timed(
            self._triton,
            ensemble.steps,
            lambda: self._client.predict(
                avatar=question.avatar, nickname=question.nickname or None, model=ensemble.name
            ),
        )
        explanation, explained_ms = None, dict[str, float]()
        if explainer := self._explain.get(ensemble.backbone):
            explanation, explained_ms = await timed(
                self._triton,
                [name for name in explainer.steps if name not in ensemble.steps],
                lambda: explain(self._triton, explainer.name, question.avatar or b"", question.nickname),
            )
        answer = _answer(prediction, ensemble, steps)
        if explanation and explanation.version == prediction.version:
            answer |= {"heat": explanation.heat, "logit": explanation.logit, "explain_ms": sum(explained_ms.values())}
        return answer, explanation


def _answer(prediction: Prediction, ensemble: Ensemble, steps: Mapping[str, float]) -> dict[str, Any]:
    total = 1000 * prediction.latency_s
    return {
        "model": ensemble.name,
        "backbone": ensemble.backbone,
        "version": prediction.version,
        "gender": prediction.gender,
        "probabilities": {"male": prediction.probabilities.male, "female": prediction.probabilities.female},
        "weights": {"avatar": prediction.weights.avatar, "nickname": prediction.weights.nickname},
        "unknown_below": prediction.unknown_below,
        # Also the time on the way to the server and back, and in its scheduler.
        "steps": [*steps.items(), ("transfer", max(total - sum(steps.values()), 0.0))],
        "total_ms": total,
    }


def _seen(explanation: Explanation, nickname: str) -> dict[str, Any]:
    return {
        "image": explanation.image_url,
        "avatar": explanation.avatar_present,
        "nickname": explanation.nickname_present,
        **explain_nickname(nickname, explanation.tokens),
    }
