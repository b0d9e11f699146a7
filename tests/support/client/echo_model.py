"""Returns each input under the name `OUT_…`, on Triton's Python backend."""

from typing import Any

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests: list[Any]) -> list[Any]:
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor(f"OUT_{t.name()}", t.as_numpy()) for t in request.inputs()])
            for request in requests
        ]
