"""The extension that sends each user's request to the user's arm."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from genderclient._flow import Call, Extension, Flow
from genderclient._models import Prediction
from genderclient.experiments.experiment import Experiment, Exposure

if TYPE_CHECKING:
    from genderclient.experiments.shadow_requests import ShadowRequests


class Assignment(Extension):
    """Chooses the model by user. A call that names a model is not part of the experiment."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._shadow_requests = _shadow_requests(experiment)

    def handle(self, call: Call, proceed: Callable[[Call], Flow[Prediction]]) -> Flow[Prediction]:
        if call.model is not None:
            return (yield from proceed(call))
        if call.user_id is None:
            raise ValueError("user_id: expected one, because this client has an experiment; pass it, or a model")
        arm = self._experiment.arm_of(call.user_id)
        exposure = Exposure(self._experiment.name, call.user_id, arm)
        if self._shadow_requests and arm:
            call = self._shadow_requests.prepare(call)
        prediction = replace((yield from proceed(replace(call, model=arm))), arm=arm)
        if self._experiment.on_exposure:
            self._experiment.on_exposure(exposure)
        if self._shadow_requests and arm:
            yield from self._shadow_requests.start(call, exposure, prediction, proceed)
        return prediction

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
