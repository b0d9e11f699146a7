"""LitServe: workers behind API servers, joined by its faster queue.

python -m perf.peers.apps.litserve_app PORT
"""

import sys
from typing import Any

import litserve

from perf.load.predictor import WORKERS, Predictor


class Gender(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self._predictor = Predictor.from_environment()

    def predict(self, request: dict[str, Any]) -> dict[str, float]:
        return self._predictor.predict_base64(request["avatar"], request["nickname"])


if __name__ == "__main__":
    server = litserve.LitServer(Gender(), accelerator="cpu", workers_per_device=WORKERS, fast_queue=True)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
