"""A stand-in for the ensembles that takes as many seconds as the nickname says, unless it is cancelled.

Triton's metrics count the requests that began, and how they ended. The avatar is passed on to a next step.
"""

import time
from typing import Any, Final

import numpy as np
import triton_python_backend_utils as pb_utils

POLL_S: Final = 0.01
OUTCOMES: Final = ("began", "cancelled", "completed")


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        self._family = pb_utils.MetricFamily("cancellable", "Requests by outcome", pb_utils.MetricFamily.COUNTER)
        labels = [{"model": args["model_name"], "outcome": outcome} for outcome in OUTCOMES]
        self._counters = {each["outcome"]: self._family.Metric(labels=each) for each in labels}

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self._respond(request) for request in requests]

    def _respond(self, request: Any) -> Any:
        self._counters["began"].increment(1)
        until_s = time.monotonic() + float(_tensor(request, "NICKNAME")[0, 0])
        while not request.is_cancelled() and time.monotonic() < until_s:
            time.sleep(POLL_S)
        self._counters["cancelled" if request.is_cancelled() else "completed"].increment(1)
        halves = np.full((1, 2), 0.5, np.float32)
        outputs = {"PROBABILITIES": halves, "WEIGHTS": halves, "PASSED": _tensor(request, "AVATAR")}
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])


def _tensor(request: Any, name: str) -> Any:
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()
