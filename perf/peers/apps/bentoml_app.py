"""BentoML: a service with as many workers as there are cores."""

import bentoml

from perf.load.predictor import WORKERS, Predictor


@bentoml.service(workers=WORKERS)
class Gender:
    def __init__(self) -> None:
        self._predictor = Predictor.from_environment()

    @bentoml.api
    def predict(self, avatar: str, nickname: str) -> dict[str, float]:
        return self._predictor.predict_base64(avatar, nickname)
