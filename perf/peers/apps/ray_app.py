"""Ray Serve: replicas behind its proxy.

python -m perf.peers.apps.ray_app PORT
"""

import signal
import sys

import ray
from ray import serve
from starlette.requests import Request

from perf.load.predictor import WORKERS, Predictor


@serve.deployment(num_replicas=WORKERS, max_ongoing_requests=32, ray_actor_options={"num_cpus": 1})
class Gender:
    def __init__(self) -> None:
        self._predictor = Predictor.from_environment()

    async def __call__(self, request: Request) -> dict[str, float]:
        return self._predictor.predict(await request.body(), request.query_params["nickname"])


if __name__ == "__main__":
    ray.init(num_cpus=WORKERS, include_dashboard=False, configure_logging=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])}, logging_config={"log_level": "WARNING"})
    serve.run(Gender.bind(), route_prefix="/")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()
